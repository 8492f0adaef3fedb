// The worked example in docs/stored-format.md is what this build writes, to the byte.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "obol/session_token.hpp"
#include "sealing/cbor.hpp"
#include "sealing/sealing.hpp"
#include "support/hex.hpp"
#include "support/worked_example.hpp"

namespace obol { namespace {

using testing::example_keyring;
using testing::to_hex;

std::string document() {
  std::ostringstream text;
  text << std::ifstream(OBOL_TEST_SOURCE_DIR "/../docs/stored-format.md").rdbuf();
  return text.str();
}

std::string mac_structure(std::string_view external_data, std::string_view payload) {
  std::string structure;
  sealing::cbor::Writer(structure).array(4).text("MAC0").bytes("\xA1\x01\x05").bytes(external_data).bytes(payload);
  return structure;
}

TEST(StoredFormat, IsThatOfTheDocument) {
  const auto session = testing::example_session();
  const sealing::WriteId write_id{1, 2, 3, 4, 5, 6, 7, 8};
  const auto sealed = to_hex(
      sealing::seal(session, "obol_{426}:full", example_keyring(), Encryption::off, {.write_id = write_id}).value());
  EXPECT_NE(document().find(sealed), std::string::npos) << sealed;
  EXPECT_EQ(
      sealing::open(testing::from_hex(sealed), "obol_{426}:full", session.key(), example_keyring(), Encryption::off),
      session);

  const sealing::AesGcmKey::Nonce nonce{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const auto encrypted = to_hex(sealing::seal(session, "obol_{426}:full", example_keyring(), Encryption::encrypt,
                                              {.write_id = write_id, .nonce = nonce})
                                    .value());
  EXPECT_NE(document().find(encrypted), std::string::npos) << encrypted;

  std::string external_data;
  sealing::cbor::Writer(external_data).array(4).text("obol").bytes("obol_{426}:full").bytes("S1").unsigned_integer(2);
  const auto payload = sealing::encode_session(session, write_id);
  EXPECT_NE(document().find("    " + to_hex(payload) + "\n"), std::string::npos);
  EXPECT_NE(document().find("    " + to_hex(external_data) + "\n"), std::string::npos);
  EXPECT_NE(document().find("    " + to_hex(mac_structure(external_data, payload)) + "\n"), std::string::npos);
}

TEST(StoredFormat, OfTokensIsThatOfTheDocument) {
  const auto token = issue_token({.user_id = "426", .id = "S1"}, example_keyring()).value();
  EXPECT_NE(document().find(token), std::string::npos) << token;

  std::string external_data;
  sealing::cbor::Writer(external_data).array(1).text("obol token");
  std::string payload;
  sealing::cbor::Writer(payload).array(3).bytes("426").text("full").bytes("S1");
  EXPECT_NE(document().find("    " + to_hex(mac_structure(external_data, payload)) + "\n"), std::string::npos);
}

}}  // namespace obol
