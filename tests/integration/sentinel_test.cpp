// A primary that sentinels look after: found at connect, followed through fail-overs, never taken for another.
#include <gtest/gtest.h>

#include <csignal>

#include "support/await.hpp"
#include "support/sessions.hpp"
#include "support/test_sentinel.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using SteadyClock = std::chrono::steady_clock;

class SentinelTest : public ::testing::TestWithParam<ServerKind> {
 protected:
  /// Where a fail-over is waited for that nobody orders.
  static constexpr milliseconds soon{1000};

  static RedisStoreOptions options_for(const TestSentinel& sentinel) {
    auto options = testing::options_for(sentinel.connection());
    options.timeouts = {.connect = seconds(2), .command = seconds(2), .total = seconds(8)};
    return options;
  }

  /// A fail-over may lose a write, so it is made again until it can be read.
  static void expect_served(RedisStore& store, const std::string& id) {
    await("the store to serve again", [&] {
      auto session = new_session("user", id);
      const auto stored = store.upsert(session);
      if (!stored && stored.error().code != ErrorCode::conflict) return false;
      const auto found = store.get(session.key());
      return found && *found;
    });
  }

  static Error refused(RedisStoreOptions options) {
    options.timeouts = ample_timeouts;
    const auto store = RedisStore::connect(options);
    return store ? Error{} : store.error();
  }
};

TEST_P(SentinelTest, FollowsFailOversAfterAKillAHangAndByHand) {
  TestSentinel sentinel(GetParam(), {.down_after = soon});
  auto store = connected(options_for(sentinel));
  expect_served(store, "first");

  const auto killed = sentinel.primary();
  sentinel.kill(killed);
  const auto second = sentinel.await_primary_other_than(killed);
  expect_served(store, "after a kill");
  sentinel.restart(killed);
  sentinel.await_whole();

  sentinel.pause(second);
  sentinel.await_primary_other_than(second);
  expect_served(store, "after a hang");
  sentinel.resume(second);
  sentinel.await_whole();

  sentinel.fail_over();
  expect_served(store, "by hand");
}

TEST_P(SentinelTest, WaitsOutAFailOverThatIsShorterThanACallMayTake) {
  TestSentinel sentinel(GetParam(), {.down_after = soon});
  auto options = options_for(sentinel);
  options.timeouts.total = seconds(30);
  options.pool.checkout_timeout = options.timeouts.total;
  options.delete_durability = {.replicas = 2, .timeout = milliseconds(400)};
  auto store = connected(options);
  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  // Both replicas have all that was written before it.
  await("replication", [&] { return store.delete_one({.user_id = "user", .id = "none"})->confirmed_replicas == 2; });
  sentinel.kill(sentinel.primary());
  EXPECT_EQ(store.get(session.key()).value(), session);
  EXPECT_TRUE(store.upsert(session).has_value());
}

TEST_P(SentinelTest, IsAskedOneAfterTheOtherUntilOneAnswers) {
  TestSentinel sentinel(GetParam(), {.replicas = 1});
  sentinel.kill_sentinel(0);
  sentinel.sentinel(1).signal(SIGSTOP);
  auto options = options_for(sentinel);
  options.timeouts.connect = seconds(4);  // A third of it goes to the one that hangs.
  auto store = connected(options);
  sentinel.sentinel(1).signal(SIGCONT);
  expect_served(store, "session");
}

TEST_P(SentinelTest, WithoutAnySentinelConnectIsUnavailableAndWhatIsConnectedServesOn) {
  TestSentinel sentinel(GetParam(), {.replicas = 1});
  auto store = connected(options_for(sentinel));
  expect_served(store, "before");
  for (std::size_t i = 0; i < 3; ++i) sentinel.kill_sentinel(i);
  expect_served(store, "after");
  const auto error = refused(options_for(sentinel));
  EXPECT_EQ(error.code, ErrorCode::unavailable);
  EXPECT_NE(error.message.find("no sentinel returned the primary's address"), std::string::npos) << error.message;
}

TEST_P(SentinelTest, WithANameThatNoSentinelKnowsConnectIsAnInvalidArgument) {
  const TestSentinel sentinel(GetParam(), {.replicas = 1, .sentinels = 1});
  auto options = options_for(sentinel);
  options.connection.sentinel.primary_name = "other";
  const auto error = refused(options);
  EXPECT_EQ(error.code, ErrorCode::invalid_argument);
  EXPECT_NE(error.message.find("monitor no primary called 'other'"), std::string::npos) << error.message;
}

TEST_P(SentinelTest, IsLoggedInToWithCredentialsOfItsOwn) {
  const TestSentinel sentinel(
      GetParam(),
      {.replicas = 1, .sentinels = 1, .sentinel_user = "watcher", .sentinel_password = "s3", .password = "p4"});
  auto options = options_for(sentinel);
  connected(options);
  options.connection.sentinel.password = "hunter2";
  const auto error = refused(options);
  EXPECT_EQ(error.code, ErrorCode::auth);
  EXPECT_EQ(error.message.find("hunter2"), std::string::npos) << error.message;
}

TEST_P(SentinelTest, NeedsNoMoreThanTheRightToTellThePrimary) {
  const TestSentinel sentinel(GetParam(), {.replicas = 1, .sentinels = 1});
  auto options = options_for(sentinel);
  options.connection.sentinel.username = "obol";
  options.connection.sentinel.password = "right";
  sentinel.ask(0, {"ACL", "SETUSER", "obol", "on", ">right", "-@all", "+sentinel|get-master-addr-by-name"});
  connected(options);

  sentinel.ask(0, {"ACL", "SETUSER", "obol", "-sentinel|get-master-addr-by-name"});
  const auto error = refused(options);
  EXPECT_EQ(error.code, ErrorCode::permission);
  EXPECT_NE(error.message.find("sentinel"), std::string::npos) << error.message;
}

TEST_P(SentinelTest, IsSpokenToByTlsAsTheServersAre) {
  TestSentinel sentinel(GetParam(), {.replicas = 1, .uses_tls = true});
  auto store = connected(options_for(sentinel));
  expect_served(store, "before");
  sentinel.fail_over();
  expect_served(store, "after");

  const Authority stranger;
  auto options = options_for(sentinel);
  options.connection.sentinel.tls.ca_file = stranger.ca_file();
  EXPECT_EQ(refused(options).code, ErrorCode::tls);
  options = options_for(sentinel);
  options.connection.tls.ca_file = stranger.ca_file();
  EXPECT_EQ(refused(options).code, ErrorCode::tls);
}

TEST_P(SentinelTest, ThatIsAServerInTruthIsAnInvalidArgument) {
  const TestSentinel sentinel(GetParam(), {.replicas = 1, .sentinels = 1});
  auto options = options_for(sentinel);
  options.connection.sentinel.sentinels = {{.host = "127.0.0.1", .port = sentinel.port(0)}};
  EXPECT_EQ(refused(options).code, ErrorCode::invalid_argument);
}

// The near cache listens to the new primary, and what it keeps is the new primary's.
TEST_P(SentinelTest, NearCacheFollowsThePrimary) {
  TestSentinel sentinel(GetParam(), {.replicas = 1});
  auto options = options_for(sentinel);
  options.near_cache = {.enabled = true, .max_staleness = milliseconds(500)};
  auto store = connected(options);
  expect_served(store, "before");
  sentinel.fail_over();
  sentinel.await_whole();  // Until then the old primary may serve on.
  const auto hits_again = [&](const SessionKey& key) {
    const auto hits = store.near_cache_statistics().hits;
    return store.get(key) && store.near_cache_statistics().hits > hits;
  };
  expect_served(store, "after");
  const SessionKey key{.user_id = "user", .id = "after"};
  await("hits on the new primary", [&] { return hits_again(key); });
  auto other = connected(options_for(sentinel));
  ASSERT_TRUE(other.delete_one(key).has_value());
  const auto deleted_at = SteadyClock::now();
  for (;;) {
    const auto asked_at = SteadyClock::now();
    const auto found = store.get(key);
    if (found && !*found) break;
    ASSERT_LT(asked_at - deleted_at, seconds(10));
  }
}

INSTANTIATE_TEST_SUITE_P(On, SentinelTest, ::testing::Values(ServerKind::redis, ServerKind::valkey),
                         [](const auto& parameter) { return name_of(parameter.param); });

}}  // namespace obol::testing
