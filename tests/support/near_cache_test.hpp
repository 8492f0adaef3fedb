// The fixture for tests of the near cache.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "support/await.hpp"
#include "support/fault_proxy.hpp"
#include "support/recording_observer.hpp"
#include "support/server_test.hpp"

namespace obol::testing {

class NearCacheTest : public ServerTest {
 protected:
  RedisStoreOptions options() const {
    auto options = options_for(server, observer);
    options.near_cache = {.enabled = true, .max_staleness = max_staleness};
    return options;
  }

  /// For whoever waits until a call fails.
  RedisStoreOptions hurried_options() const {
    auto hurried = options();
    hurried.timeouts = {.connect = std::chrono::milliseconds(1000),
                        .command = std::chrono::milliseconds(1000),
                        .total = std::chrono::milliseconds(1000)};
    return hurried;
  }

  RedisStoreOptions options_as_web() const {
    auto as_web = options();
    as_web.connection.username = "web";
    as_web.connection.password = "right";
    return as_web;
  }

  RedisStoreOptions options_through(const FaultProxy& proxy) const {
    auto through_proxy = options();
    through_proxy.connection = proxy.connection();
    return through_proxy;
  }

  /// By a store that has more patience.
  Session stored() const {
    auto store = store_on(server);
    return stored(store);
  }

  static Session stored(RedisStore& store, std::string id = "session") {
    auto session = new_session("user", std::move(id));
    EXPECT_TRUE(store.upsert(session).has_value());
    return session;
  }

  /// Reads until it is a hit.
  static void warm(RedisStore& store, const Session& session) {
    const auto hits = store.near_cache_statistics().hits;
    testing::await("a hit", [&] {
      const auto found = store.get(session.key());
      EXPECT_TRUE(!found || *found == session);
      return store.near_cache_statistics().hits > hits;
    });
  }

  /// Reads until the session is found no more, and holds the last read that found it against the promise.
  void expect_gone_in_time(RedisStore& store, const Session& session,
                           std::chrono::steady_clock::time_point changed_at) {
    for (;;) {
      const auto asked_at = std::chrono::steady_clock::now();
      const auto found = store.get(session.key());
      if (!found || !*found) return;
      ASSERT_LT(asked_at - changed_at, max_staleness);
    }
  }

  void await(const std::string& event, std::size_t count) const {
    testing::await(event, [&] { return observer->count(event) >= count; });
  }

  static std::uint64_t hits(const RedisStore& store) { return store.near_cache_statistics().hits; }

  std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();
  std::chrono::milliseconds max_staleness{1000};
};

}  // namespace obol::testing
