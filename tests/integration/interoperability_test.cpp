// A session stored on a real server, verified and decoded by somebody else's COSE library.
#include <array>
#include <cstdio>
#include <string>

#include "support/hex.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

struct Verdict {
  int status;
  std::string output;
};

Verdict verify_with_ruby(const std::string& sealed) {
  const std::string input = to_hex(std::string(32, 'k')) + "\n" + to_hex("obol_{user}:full") + "\n" +
                            to_hex("session") + "\n" + to_hex(sealed) + "\n";
  const std::string command =
      "printf '" + input + "' | ruby '" OBOL_TEST_SOURCE_DIR "/integration/verify_stored_session.rb' 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {-1, "popen failed"};
  std::string output;
  std::array<char, 256> buffer{};
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) output += buffer.data();
  return {::pclose(pipe), output};
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

}}  // namespace obol::testing
