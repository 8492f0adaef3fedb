// Session tokens: cookie-safe, opened only as issued.
#include "obol/session_token.hpp"

#include <gtest/gtest.h>

#include "base/base64url.hpp"
#include "sealing/sealing.hpp"
#include "support/sessions.hpp"

namespace obol { namespace {

using testing::new_session;
using testing::signing_key;

class SessionToken : public ::testing::Test {
 protected:
  const Keyring keyring{signing_key()};
  const SessionKey key{.user_id = std::string("user\0\xFF", 6), .type = "oauth2", .id = "session"};
  const std::string token = issue_token(key, keyring).value();
};

TEST_F(SessionToken, OpensToTheKeyItWasIssuedFor) { EXPECT_EQ(open_token(token, keyring).value(), key); }

TEST_F(SessionToken, IsSafeInACookieAndAnAddress) {
  EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            std::string::npos);
}

TEST_F(SessionToken, IsRefusedWithAnyCharacterChangedOrCut) {
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (const char other : {'A', 'B', '_', '=', ' ', '\0'}) {
      auto changed = token;
      changed[i] = other;
      if (changed == token) continue;
      ASSERT_FALSE(open_token(changed, keyring).has_value()) << i;
    }
    ASSERT_FALSE(open_token(token.substr(0, i), keyring).has_value()) << i;
  }
  EXPECT_FALSE(open_token(token + "A", keyring).has_value());
}

TEST_F(SessionToken, OfAnotherKeyIsAnInvalidTokenAndIsNotRepeatedInTheMessage) {
  const auto refused = open_token(token, Keyring(signing_key('n')));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_token);
  EXPECT_EQ(refused.error().message.find(token), std::string::npos);
  EXPECT_EQ(open_token(token, Keyring()).error().code, ErrorCode::invalid_token);
  EXPECT_EQ(open_token(std::string(1'000'000, 'A'), keyring).error().code, ErrorCode::invalid_token);
}

TEST_F(SessionToken, OfAnOlderKeyStillOpens) {
  EXPECT_EQ(open_token(token, Keyring(signing_key('n')).with_verifying_key(signing_key()).value()).value(), key);
}

TEST_F(SessionToken, IsNoStoredSessionAndAStoredSessionIsNoToken) {
  auto session = new_session();
  session.lock_version = 1;
  const auto sealed = sealing::seal(session, "obol_{user}:full", keyring, Encryption::off).value();
  EXPECT_FALSE(open_token(base64url_encode(sealed.substr(8)), keyring).has_value());
  const auto as_session = sealing::encode_lock_version(1) + base64url_decode(token).value();
  EXPECT_FALSE(sealing::open(as_session, "obol_{user}:full", session.key(), keyring, Encryption::off).has_value());
}

TEST_F(SessionToken, FitsTheLongestIdsThereMayBe) {
  const SessionKey longest{.user_id = std::string(256, 'u'), .type = std::string(64, 't'), .id = std::string(256, 's')};
  EXPECT_EQ(open_token(issue_token(longest, keyring).value(), keyring).value(), longest);
}

TEST_F(SessionToken, IsNotIssuedForABadKeyOrWithoutAKeyring) {
  EXPECT_EQ(issue_token({.user_id = "", .id = "x"}, keyring).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(issue_token(key, Keyring()).error().code, ErrorCode::invalid_argument);
}

}}  // namespace obol
