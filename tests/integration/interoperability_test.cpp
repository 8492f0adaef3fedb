// A session stored on a real server, and tokens, verified and decoded by somebody else's COSE library.
#include <array>
#include <cstdio>
#include <string>

#include "sealing/web_token.hpp"
#include "support/hex.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

struct Verdict {
  int status;
  std::string output;
};

/// What a script of this folder says of these lines.
Verdict ask_ruby(const std::string& script, const std::string& lines) {
  const std::string command =
      "printf '" + lines + "' | ruby '" OBOL_TEST_SOURCE_DIR "/integration/" + script + "' 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {-1, "popen failed"};
  std::string output;
  std::array<char, 256> buffer{};
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) output += buffer.data();
  return {::pclose(pipe), output};
}

Verdict verify_with_ruby(const std::string& sealed) {
  return ask_ruby("verify_stored_session.rb", to_hex(std::string(32, 'k')) + "\n" + to_hex("obol_{user}:full") + "\n" +
                                                  to_hex("session") + "\n" + to_hex(sealed) + "\n");
}

class StoredSession : public ServerTest {
 protected:
  std::string stored(Session session, Encryption encryption = Encryption::off) const {
    auto options = options_for(server);
    options.encryption = encryption;
    auto store = RedisStore::connect(options).value();
    EXPECT_TRUE(store.upsert(session).has_value());
    return std::string(server.command({"HGET", "obol_{user}:full", "session"}).text);
  }
};

TEST_P(StoredSession, IsVerifiedAndDecodedByAnotherLibrary) {
  auto session = new_session();
  session.created_at = std::chrono::sys_seconds(std::chrono::seconds(-5));
  session.expires_at = session.refresh_expires_at + std::chrono::hours(1);
  const auto text = [](std::chrono::sys_seconds time) { return std::to_string(time.time_since_epoch().count()); };
  const auto contents = "lock_version=1\n1=1\n2=-5\n3=" + text(session.refreshed_at) +
                        "\n4=" + text(session.refresh_expires_at) + "\n5=" + text(session.tokens_fresh_from) +
                        "\n6=" + text(session.prev_tokens_fresh_from) + "\n7=" + text(*session.expires_at) +
                        "\n8=" + to_hex(session.refresh_token_id) + "\n9=" + to_hex(session.extra_payload) +
                        "\nwrite_id_bytes=8\n";
  for (const auto encryption : {Encryption::off, Encryption::encrypt}) {
    const auto verdict = verify_with_ruby(stored(session, encryption));
    ASSERT_EQ(verdict.status, 0) << verdict.output;
    EXPECT_EQ(verdict.output, contents);
    server.command({"FLUSHALL"});
  }
}

TEST_P(StoredSession, IsRefusedByAnotherLibraryWithAByteChanged) {
  auto sealed = stored(new_session());
  sealed.back() = static_cast<char>(sealed.back() ^ 1);
  const auto verdict = verify_with_ruby(sealed);
  EXPECT_NE(verdict.status, 0);
  EXPECT_NE(verdict.output.find("Mac0 verification failed"), std::string::npos) << verdict.output;
}

OBOL_ON_BOTH_SERVERS(StoredSession);

std::string web_token(sealing::TokenKind kind, std::string user_id) {
  const auto at = [](int value) { return std::chrono::sys_seconds(std::chrono::seconds(value)); };
  const sealing::TokenClaims claims{.session = {.user_id = std::move(user_id), .type = "web", .id = "session"},
                                    .issued_at = at(1'700'000'000),
                                    .expires_at = at(1'700'000'300),
                                    .id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
  return sealing::write_web_token(kind, claims, Keyring(signing_key())).value();
}

Verdict verify_token_with_ruby(const std::string& token) {
  return ask_ruby("verify_web_token.rb", to_hex(std::string(32, 'k')) + "\n" + token + "\n");
}

TEST(WebTokenInteroperability, IsVerifiedAndDecodedByAnotherLibrary) {
  const std::string claims =
      "4=1700000300\n6=1700000000\n7=0102030405060708090a0b0c0d0e0f10\n-65537=" + to_hex("session") + "\n-65538=web\n";
  const auto access = verify_token_with_ruby(web_token(sealing::TokenKind::access, "Zoë"));
  EXPECT_EQ(access.status, 0);
  EXPECT_EQ(access.output, "typ=application/vnd.obol.access+cwt\n2=Zoë\n" + claims);
  const auto refresh = verify_token_with_ruby(web_token(sealing::TokenKind::refresh, "\xFF"));
  EXPECT_EQ(refresh.status, 0);
  EXPECT_EQ(refresh.output, "typ=application/vnd.obol.refresh+cwt\n" + claims + "-65539=ff\n");
}

TEST(WebTokenInteroperability, IsRefusedByAnotherLibraryWithACharacterChanged) {
  auto token = web_token(sealing::TokenKind::access, "user");
  token[token.size() - 2] = token[token.size() - 2] == 'A' ? 'B' : 'A';
  const auto verdict = verify_token_with_ruby(token);
  EXPECT_NE(verdict.status, 0);
  EXPECT_NE(verdict.output.find("Mac0 verification failed"), std::string::npos) << verdict.output;
}

}}  // namespace obol::testing
