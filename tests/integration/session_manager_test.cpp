// SessionManager over Redis and Valkey.
#include "obol/session_manager.hpp"

#include <gtest/gtest.h>

#include "support/refresh_race.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class SessionManagerOnServers : public ServerTest {
 protected:
  std::shared_ptr<SessionStore> store() const {
    auto options = options_for(server);
    options.policy = {.revocation_mark_lifetime = minutes(1), .mark_on_delete_others = true};
    return std::make_shared<RedisStore>(RedisStore::connect(options).value());
  }
};

TEST_P(SessionManagerOnServers, HaveOneWinnerOfARefreshRace) { expect_one_winner(store()); }

TEST_P(SessionManagerOnServers, LogInAuthenticateRefreshSecureTouchAndLogOut) {
  auto manager =
      SessionManager::create(store(), {.keyring = Keyring(signing_key()), .touch_interval = seconds(0)}).value();
  const auto read_at = now_in_seconds();
  const auto phone = manager.log_in("user", "phone", read_at).value();
  const auto laptop = manager.log_in("user", "laptop", read_at).value();
  EXPECT_EQ(manager.authenticate(laptop.tokens.access).value()->session, laptop.session);
  const auto refreshed =
      manager.refresh(laptop.tokens.refresh, [](std::string& payload) { payload += " here"; }).value();
  ASSERT_TRUE(refreshed);
  EXPECT_EQ(refreshed->session.extra_payload, "laptop here");
  const auto touched = manager.touch(refreshed->session).value();
  ASSERT_TRUE(touched);
  EXPECT_EQ(manager.list("user")->size(), 2U);

  const auto secured = manager.secure(*touched).value();
  ASSERT_TRUE(secured);
  EXPECT_EQ(manager.list("user").value(), std::vector{secured->session});
  EXPECT_FALSE(manager.authenticate(laptop.tokens.access).value());
  EXPECT_FALSE(manager.refresh(phone.tokens.refresh).value());
  EXPECT_EQ(manager.log_in("user", "late", read_at).error().code, ErrorCode::revoked);
  EXPECT_TRUE(manager.authenticate(secured->tokens.access).value());
  ASSERT_TRUE(manager.log_out_everywhere("user").has_value());
  EXPECT_FALSE(manager.authenticate(secured->tokens.access).value());
  EXPECT_FALSE(manager.refresh(secured->tokens.refresh).value());
}

OBOL_ON_BOTH_SERVERS(SessionManagerOnServers);

}}  // namespace obol::testing
