// The worked example in docs/stored-format.md is what this build writes, to the byte.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "obol/session_token.hpp"
#include "sealing/sealing.hpp"
#include "support/hex.hpp"

namespace obol {
namespace {

using testing::to_hex;

std::string document() {
  std::ostringstream text;
  text << std::ifstream(OBOL_TEST_SOURCE_DIR "/../docs/stored-format.md").rdbuf();
  return text.str();
}

Keyring example_keyring() { return Keyring(SigningKey::from_bytes("0123456789abcdef0123456789abcdef", "k1").value()); }

TEST(StoredFormat, IsThatOfTheDocument) {
  const auto at = [](int value) { return std::chrono::sys_seconds(std::chrono::seconds(value)); };
  Session session{.id = "S1",
                  .user_id = "426",
                  .refresh_token_id = "R1",
                  .created_at = at(1'700'000'000),
                  .refreshed_at = at(1'700'000'100),
                  .refresh_expires_at = at(1'701'209'700),
                  .tokens_fresh_from = at(1'700'000'000),
                  .prev_tokens_fresh_from = at(1'700'000'000),
                  .lock_version = 2,
                  .extra_payload = "hello"};
  const sealing::WriteId write_id{1, 2, 3, 4, 5, 6, 7, 8};
  const auto sealed = to_hex(sealing::seal(session, "obol_{426}:full", example_keyring(), write_id).value());
  EXPECT_NE(document().find(sealed), std::string::npos) << sealed;
}

TEST(StoredFormat, OfTokensIsThatOfTheDocument) {
  const auto token = issue_token({.user_id = "426", .id = "S1"}, example_keyring()).value();
  EXPECT_NE(document().find(token), std::string::npos) << token;
}

}  // namespace
}  // namespace obol
