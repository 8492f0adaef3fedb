// A session manager whose keyring is replaced while it is in use.
#include <gtest/gtest.h>

#include <memory>

#include "obol/memory_store.hpp"
#include "obol/session_manager.hpp"
#include "support/sessions.hpp"

namespace obol { namespace {

using testing::signing_key;

class ReplacedKeyring : public ::testing::Test {
 protected:
  bool is_in(const LoggedIn& login) { return manager.authenticate(login.tokens.access).value().has_value(); }

  SessionManager manager =
      SessionManager::create(std::make_shared<MemoryStore>(), {.keyring = Keyring(signing_key())}).value();
  const LoggedIn login = manager.log_in("user", "", testing::now_in_seconds()).value();
};

TEST_F(ReplacedKeyring, SignsNewTokensAndVerifiesOldOnesWhileItHasTheirKey) {
  ASSERT_TRUE(manager.replace_keyring(Keyring(signing_key('n')).with_verifying_key(signing_key()).value()));
  EXPECT_TRUE(is_in(login));
  const auto refreshed = manager.refresh(login.tokens.refresh).value();
  ASSERT_TRUE(refreshed);
  ASSERT_TRUE(manager.replace_keyring(Keyring(signing_key('n'))));
  EXPECT_TRUE(is_in(*refreshed));
  EXPECT_FALSE(is_in(login));
}

TEST_F(ReplacedKeyring, IsKeptIfTheNewOneIsRefused) {
  const auto other_key = SigningKey::from_bytes("another key under the id of the old", signing_key().id()).value();
  EXPECT_EQ(manager.replace_keyring(Keyring()).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(manager.replace_keyring(Keyring(other_key)).error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(is_in(login));
  EXPECT_TRUE(is_in(manager.log_in("user", "", testing::now_in_seconds()).value()));
}

TEST_F(ReplacedKeyring, IsNotAmongTheOptions) { EXPECT_TRUE(manager.options().keyring.empty()); }

}}  // namespace obol
