// The near cache and the server it listens to: what another server says is never kept, whatever an address leads to.
#include "support/near_cache_test.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;

class NearCacheServerTest : public NearCacheTest {
 protected:
  /// Afterwards the proxy leads to the other server, and calls do, but what was open stays.
  void lead_calls_elsewhere() {
    proxy.lead_to(other);
    proxy.once(Fault::cut_before_reply(), "HGET");
  }

  /// The same for the cache's own connection: only that one says HELLO while nothing else goes on.
  void lead_listening_elsewhere() {
    const auto times_in_use = observer->count("near_cache_in_use");
    proxy.lead_to(other);
    proxy.once(Fault::cut_before_reply(), "HELLO");
    await("near_cache_in_use", times_in_use + 1);
  }

  TestServer other{GetParam()};
  FaultProxy proxy{server};
};

TEST_P(NearCacheServerTest, KeepsNothingOfAServerThatItDoesNotListenTo) {
  auto store = connected(options_through(proxy));
  lead_calls_elsewhere();
  auto elsewhere = store_on(other);
  const auto session = stored(elsewhere);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(store.get(session.key()).value(), session);
  ASSERT_TRUE(elsewhere.delete_one(session.key()).has_value());
  expect_gone_in_time(store, session, std::chrono::steady_clock::now());
}

TEST_P(NearCacheServerTest, FollowsCallsToAnotherServer) {
  auto store = connected(options_through(proxy));
  const auto session = stored(store);
  warm(store, session);
  lead_calls_elsewhere();
  EXPECT_EQ(store.get({.user_id = "another", .id = "session"}).value(), std::nullopt);
  await("near_cache_out_of_use", 1);
  EXPECT_TRUE(observer->holds("leads to another server")) << ::testing::PrintToString(observer->lines());
  EXPECT_EQ(store.get(session.key()).value(), std::nullopt);
  auto elsewhere = store_on(other);
  const auto theirs = stored(elsewhere);
  warm(store, theirs);
  ASSERT_TRUE(elsewhere.delete_one(theirs.key()).has_value());
  expect_gone_in_time(store, theirs, std::chrono::steady_clock::now());
}

TEST_P(NearCacheServerTest, KeepsNothingOfAServerThatItNoLongerListensTo) {
  auto store = connected(options_through(proxy));
  lead_listening_elsewhere();
  const auto session = stored(store);
  const auto before = hits(store);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(store.get(session.key()).value(), session);
  EXPECT_EQ(hits(store), before);
  ASSERT_TRUE(store_on(server).delete_one(session.key()).has_value());
  EXPECT_EQ(store.get(session.key()).value(), std::nullopt);
}

TEST_P(NearCacheServerTest, FollowsAnAddressThatLeadsElsewhereThoughNothingBreaks) {
  auto with_lifetime = options_through(proxy);
  with_lifetime.pool.lifetime_limit = milliseconds(100);
  auto store = connected(with_lifetime);
  const auto session = stored(store);
  warm(store, session);
  proxy.lead_to(other);
  testing::await("the other server to be asked", [&] { return store.get(session.key()).value() == std::nullopt; });
  auto elsewhere = store_on(other);
  const auto theirs = stored(elsewhere);
  warm(store, theirs);
  ASSERT_TRUE(elsewhere.delete_one(theirs.key()).has_value());
  expect_gone_in_time(store, theirs, std::chrono::steady_clock::now());
}

TEST_P(NearCacheServerTest, RenewsItsConnectionWithoutForgettingAnything) {
  max_staleness = milliseconds(6000);  // It is renewed together with a question, a third of that.
  auto with_lifetime = options_through(proxy);
  with_lifetime.pool.lifetime_limit = milliseconds(100);
  // Before the cache listens: told late, the write would drop what was read after it.
  const auto session = stored();
  auto store = connected(with_lifetime);
  warm(store, session);
  const auto connections = proxy.connections();
  testing::await("two renewals", [&] { return proxy.connections() >= connections + 2; });
  EXPECT_EQ(store.near_cache_statistics().sessions, 1U);
  EXPECT_EQ(observer->count("near_cache_out_of_use"), 0U) << ::testing::PrintToString(observer->lines());
  ASSERT_TRUE(store_on(server).delete_one(session.key()).has_value());
  testing::await("the delete to be heard of", [&] { return store.near_cache_statistics().sessions == 0; });
}

TEST_P(NearCacheServerTest, ServesAgainAfterARestart) {
  auto store = connected(options());
  warm(store, stored(store));
  server.stop();
  await("near_cache_out_of_use", 1);
  EXPECT_EQ(store.near_cache_statistics().sessions, 0U);
  server.start();
  await("near_cache_in_use", 2);
  warm(store, stored());
}

TEST_P(NearCacheServerTest, StaysOutOfUseWhileItsServerCannotBeToldFromAnother) {
  server.command({"ACL", "SETUSER", "web", "reset", "on", ">right", "~*", "&*", "+@all"});
  auto store = connected(options_as_web());
  const auto session = stored();
  warm(store, session);
  server.command({"ACL", "SETUSER", "web", "-info"});
  server.command({"CLIENT", "KILL", "USER", "web"});
  await("near_cache_out_of_use", 1);
  const auto before = hits(store);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(store.get(session.key()).value(), session);
  EXPECT_EQ(hits(store), before);
  server.command({"ACL", "SETUSER", "web", "+info"});
  server.command({"CLIENT", "KILL", "USER", "web"});
  warm(store, session);
}

OBOL_ON_BOTH_SERVERS(NearCacheServerTest);

}}  // namespace obol::testing
