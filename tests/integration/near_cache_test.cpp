// The near cache: hits cost the server nothing, and none is older than promised, whatever happens.
#include "support/near_cache_test.hpp"

#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

#include "obol/testing/store_conformance.hpp"
#include "support/fault_proxy.hpp"
#include "support/monitor.hpp"
#include "support/server_test.hpp"

namespace obol::testing {

template <ServerKind kind>
struct CachedStoreFactory {
  std::unique_ptr<SessionStore> make_store() {
    auto options = options_for(server);
    options.near_cache.enabled = true;
    return std::make_unique<RedisStore>(connected(options));
  }
  TestServer server{kind};
};
INSTANTIATE_TYPED_TEST_SUITE_P(CachedRedis, StoreConformance, CachedStoreFactory<ServerKind::redis>);
INSTANTIATE_TYPED_TEST_SUITE_P(CachedValkey, StoreConformance, CachedStoreFactory<ServerKind::valkey>);

namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

TEST_P(NearCacheTest, IsOffByDefault) {
  auto store = store_on(server);
  const auto session = stored(store);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(store.get(session.key()).value(), session);
  EXPECT_EQ(store.near_cache_statistics().hits + store.near_cache_statistics().misses, 0U);
}

TEST_P(NearCacheTest, AHitAsksTheServerNothing) {
  max_staleness = milliseconds(10'000);  // No answer is so late that the cache goes out of use.
  auto store = connected(options());
  const auto session = stored(store);
  warm(store, session);
  Monitor monitor(server);
  const auto misses = store.near_cache_statistics().misses;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(store.get(session.key()).value(), session);
  const auto asked = monitor.commands().size();
  EXPECT_EQ(asked, store.near_cache_statistics().misses - misses);
  EXPECT_LT(asked, 10U);
}

TEST_P(NearCacheTest, ASessionThatIsNotThereIsLookedForEachTime) {
  auto store = connected(options());
  auto session = new_session();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(store.get(session.key()).value(), std::nullopt);
  ASSERT_TRUE(store_on(server).upsert(session).has_value());
  EXPECT_EQ(store.get(session.key()).value(), session);
}

TEST_P(NearCacheTest, AChangeMadeElsewhereIsSeenInTime) {
  auto store = connected(options());
  auto elsewhere = store_on(server);
  for (int round = 0; round < 20; ++round) {
    const auto session = stored(store, std::to_string(round));
    warm(store, session);
    switch (round % 4) {
      case 0:
        ASSERT_TRUE(elsewhere.delete_one(session.key()).has_value());
        break;
      case 1:
        ASSERT_TRUE(elsewhere.delete_all("user", "full").has_value());
        break;
      case 2:
        ASSERT_TRUE(elsewhere.delete_others({.user_id = "user", .id = "another"}).has_value());
        break;
      default:
        server.command({"FLUSHALL"});
    }
    expect_gone_in_time(store, session, SteadyClock::now());
  }
}

TEST_P(NearCacheTest, OwnWritesAndDeletesAreSeenAtOnce) {
  auto store = connected(options());
  auto session = stored(store);
  for (int i = 0; i < 50; ++i) {
    warm(store, session);
    session.extra_payload = std::to_string(i);
    ASSERT_TRUE(store.upsert(session).has_value());
    ASSERT_EQ(store.get(session.key()).value(), session);
  }
  const auto old_key = session.key();
  ASSERT_TRUE(store.rotate_id(session).has_value());
  EXPECT_EQ(store.get(old_key).value(), std::nullopt);
  warm(store, session);
  ASSERT_TRUE(store.delete_one(session.key()).has_value());
  EXPECT_EQ(store.get(session.key()).value(), std::nullopt);
  for (const bool all : {true, false}) {
    const auto another = stored(store, all ? "all" : "others");
    warm(store, another);
    ASSERT_TRUE((all ? store.delete_all("user", "full") : store.delete_others(old_key)).has_value());
    EXPECT_EQ(store.get(another.key()).value(), std::nullopt);
  }
}

TEST_P(NearCacheTest, ADeleteOfSeveralTypesIsSeenAtOnceHereAndInTimeElsewhere) {
  auto store = connected(options());
  auto elsewhere = store_on(server);
  for (const bool is_own : {true, false}) {
    std::vector<Session> sessions;
    for (const auto* type : {"full", "pending", "oauth2"}) {
      auto session = new_session();
      session.type = type;
      ASSERT_TRUE(store.upsert(session).has_value());
      warm(store, session);
      sessions.push_back(std::move(session));
    }
    ASSERT_TRUE((is_own ? store : elsewhere).delete_all("user", {"full", "pending", "oauth2"}).has_value());
    const auto deleted_at = SteadyClock::now();
    for (const auto& session : sessions) {
      if (is_own) {
        EXPECT_EQ(store.get(session.key()).value(), std::nullopt);
      } else {
        expect_gone_in_time(store, session, deleted_at);
      }
    }
  }
}

TEST_P(NearCacheTest, NoReaderSeesLessThanWhatWasAcknowledged) {
  auto store = connected(options());
  auto session = stored(store);
  const auto key = session.key();
  std::atomic<std::uint64_t> acknowledged = 1;
  std::atomic<bool> done = false;
  std::vector<std::jthread> readers;
  const std::shared_ptr<void> at_the_end(nullptr, [&](void*) { done = true; });
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        const auto least = acknowledged.load();
        const auto found = store.get(key);
        ASSERT_TRUE(found && *found);
        EXPECT_GE((*found)->lock_version, least);
      }
    });
  }
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(store.upsert(session).has_value());
    acknowledged = session.lock_version;
  }
}

TEST_P(NearCacheTest, IsNotBelievedWhenItsConnectionFallsSilent) {
  FaultProxy proxy(server);
  auto through_proxy = options();
  through_proxy.connection = proxy.connection();
  auto store = connected(through_proxy);
  const auto session = stored(store);
  warm(store, session);
  // Only the cache's own connection asks now and then while nothing else goes on.
  proxy.once(Fault::half_open(), "HELLO");
  ASSERT_TRUE(proxy.await_faults(1));
  ASSERT_TRUE(store_on(server).delete_one(session.key()).has_value());
  expect_gone_in_time(store, session, SteadyClock::now());
  await("near_cache_out_of_use", 1);
  await("near_cache_in_use", 2);
}

TEST_P(NearCacheTest, IsEmptiedWhenItsConnectionIsLostAndComesBack) {
  auto store = connected(options());
  const auto session = stored(store);
  warm(store, session);
  server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  ASSERT_TRUE(store_on(server).delete_one(session.key()).has_value());
  expect_gone_in_time(store, session, SteadyClock::now());
  await("near_cache_in_use", 2);
  warm(store, stored(store));
}

TEST_P(NearCacheTest, ServesNothingOnceTheServerHasBeenSilentForTooLong) {
  auto store = connected(hurried_options());
  const auto session = stored();
  warm(store, session);
  server.signal(SIGSTOP);
  expect_gone_in_time(store, session, SteadyClock::now());
  server.signal(SIGCONT);
  warm(store, session);
}

TEST_P(NearCacheTest, ServesNothingOfADemotedPrimary) {
  auto store = connected(hurried_options());
  const auto session = stored();
  warm(store, session);
  server.command({"REPLICAOF", "127.0.0.1", "1"});
  max_staleness = milliseconds(2000);
  expect_gone_in_time(store, session, SteadyClock::now());
}

TEST_P(NearCacheTest, ServesNothingThatARemovedKeySigned) {
  auto store = connected(options());
  const auto session = stored(store);
  warm(store, session);
  const auto other_key = SigningKey::from_bytes(std::string(32, 'k'), "other").value();
  ASSERT_TRUE(store.replace_keyring(Keyring(other_key)).has_value());
  EXPECT_EQ(store.get(session.key()).value(), std::nullopt);
}

TEST_P(NearCacheTest, ServesNothingThatHasExpired) {
  std::atomic<std::chrono::seconds> passed{std::chrono::seconds(0)};
  auto with_clock = options();
  with_clock.clock = [&passed] { return std::chrono::system_clock::now() + passed.load(); };
  auto store = connected(with_clock);
  const auto session = stored(store);
  warm(store, session);
  passed = session.refresh_expires_at - now_in_seconds() + std::chrono::seconds(1);
  EXPECT_EQ(store.get(session.key()).value(), std::nullopt);
}

TEST_P(NearCacheTest, WithoutItsRightsIsPermissionAtConnect) {
  for (const std::string right : {"client|tracking", "info"}) {
    server.command({"ACL", "SETUSER", "web", "reset", "on", ">right", "~*", "&*", "+@all", "-" + right});
    const auto refused = RedisStore::connect(options_as_web());
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::permission);
    EXPECT_NE(refused.error().message.find("+" + right), std::string::npos) << refused.error().message;
  }
}

OBOL_ON_BOTH_SERVERS(NearCacheTest);

}  // namespace
}  // namespace obol::testing
