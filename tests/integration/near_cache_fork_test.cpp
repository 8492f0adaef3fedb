// The near cache and fork: whatever its thread does at that moment, a child touches nothing of its parent's, holds no
// connection of its, and can use, close and destroy its store.
#include <sys/prctl.h>

#include <array>
#include <atomic>
#include <csignal>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/certificates.hpp"
#include "support/child.hpp"
#include "support/connections.hpp"
#include "support/near_cache_test.hpp"
#include "support/reserved_port.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;

class NearCacheForkTest : public NearCacheTest {
 protected:
  /// Without an observer, whose lock another thread could hold at the moment of a fork.
  static RedisStoreOptions unobserved(RedisStoreOptions options) {
    options.observer = nullptr;
    return options;
  }

  /// True if this process has no connection to the address and can destroy the store.
  static bool holds_nothing(std::optional<RedisStore>& store, const ConnectionOptions& address) {
    const bool is_free = connections_to(address) == 0;
    store.reset();
    return is_free;
  }
};

TEST_P(NearCacheForkTest, AChildReadsFromTheServer) {
  auto store = connected(unobserved(options()));
  const auto session = stored(store);
  warm(store, session);
  EXPECT_EQ(run_in_child([&] {
              bool is_right = true;
              for (int i = 0; i < 2; ++i) is_right = is_right && store.get(session.key()).value() == session;
              is_right =
                  is_right && store.delete_one(session.key()) && store.get(session.key()).value() == std::nullopt;
              return is_right && store.near_cache_statistics().sessions == 0;
            }),
            "");
  expect_gone_in_time(store, session, std::chrono::steady_clock::now());
}

TEST_P(NearCacheForkTest, AChildThatClosesItsStoreLeavesTheParentsCacheInUse) {
  max_staleness = milliseconds(60'000);  // No machine is so slow that the cache goes out of use by itself.
  auto store = std::make_optional(connected(options()));
  const auto session = stored(*store);
  warm(*store, session);
  EXPECT_EQ(run_in_child([&] {
              store->close();
              store.reset();
              return true;
            }),
            "");
  const auto invalidations = store->near_cache_statistics().invalidations;
  ASSERT_TRUE(store_on(server).delete_one(session.key()).has_value());
  testing::await("the delete to be heard of",
                 [&] { return store->near_cache_statistics().invalidations > invalidations; });
  EXPECT_EQ(observer->count("near_cache_out_of_use"), 0U) << ::testing::PrintToString(observer->lines());
}

TEST_P(NearCacheForkTest, TheObserverOfAChildIsToldThatItsCacheIsOutOfUse) {
  auto store = connected(options());
  const auto session = stored(store);
  warm(store, session);
  EXPECT_EQ(run_in_child([&] {
              for (int i = 0; i < 2; ++i) static_cast<void>(store.get(session.key()));
              return observer->count("near_cache_out_of_use") == 1 && observer->holds("forked child");
            }),
            "");
}

TEST_P(NearCacheForkTest, AChildHoldsNoConnectionWhileTheCacheListens) {
  auto store = std::make_optional(connected(unobserved(options())));
  EXPECT_EQ(connections_to(server.connection()), 2U);
  EXPECT_EQ(run_in_child([&] { return holds_nothing(store, server.connection()); }), "");
}

TEST_P(NearCacheForkTest, AChildHoldsNoConnectionWhileTheCacheDials) {
  max_staleness = milliseconds(300);
  FaultProxy proxy(server);
  auto store = std::make_optional(connected(unobserved(options_through(proxy))));
  // The first falls silent while the cache listens, the second in the introduction of the next connection.
  proxy.always(Fault::half_open(), "HELLO");
  ASSERT_TRUE(proxy.await_faults(2));
  EXPECT_EQ(run_in_child([&] { return holds_nothing(store, proxy.connection()); }), "");
}

TEST_P(NearCacheForkTest, AChildHoldsNoConnectionWhileTheCacheShakesHands) {
  max_staleness = milliseconds(300);
  const Authority authority;
  const ReservedPort port;
  auto arguments = authority.server_arguments(authority.issue("server", "IP:127.0.0.1"));
  arguments.insert(arguments.end(), {"--tls-port", std::to_string(port.number()), "--bind", "127.0.0.1"});
  const TestServer tls_server(GetParam(), arguments);
  auto with_tls = options();
  with_tls.connection = {
      .host = "127.0.0.1", .port = port.number(), .tls = {.enabled = true, .ca_file = authority.ca_file()}};
  auto store = std::make_optional(connected(with_tls));
  tls_server.signal(SIGSTOP);
  await("near_cache_out_of_use", 1);
  testing::await("the next handshake", [&] { return connections_to(with_tls.connection) == 2; });
  EXPECT_EQ(run_in_child([&] { return holds_nothing(store, with_tls.connection); }), "");
  tls_server.signal(SIGCONT);
}

TEST_P(NearCacheForkTest, AChildCanDestroyItsStoreWhileTheCacheWaitsToDialAgain) {
  auto store = std::make_optional(connected(unobserved(options())));
  server.stop();
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(milliseconds(i));  // Some of these moments are in a pause.
    ASSERT_EQ(run_in_child([&] { return holds_nothing(store, server.connection()); }), "");
  }
}

TEST_P(NearCacheForkTest, AChildCanDestroyItsStoreWhateverOtherThreadsDo) {
  if (!can_fork_beside_busy_threads) GTEST_SKIP();
  auto small = unobserved(options());
  small.near_cache.max_bytes = std::size_t{1024} * 1024;  // Something is always dropped to make room.
  auto store = std::make_optional(connected(small));
  std::vector<SessionKey> keys;
  for (int i = 0; i < 200; ++i) keys.push_back(stored(*store, std::to_string(i)).key());
  std::atomic<bool> stop = false;
  std::vector<std::jthread> busy;
  for (std::size_t thread = 0; thread < 4; ++thread) {
    busy.emplace_back([&, thread] {
      for (auto i = thread; !stop; ++i) EXPECT_TRUE(store->get(keys[i % keys.size()]).has_value());
    });
  }
  const std::shared_ptr<void> at_the_end(nullptr, [&](void*) { stop = true; });
  for (int round = 0; round < 10; ++round) {
    ASSERT_EQ(run_in_child([&] {
                const bool is_free = connections_to(server.connection()) == 0;
                const bool is_there = store->get(keys.front()).value().has_value();
                store.reset();
                return is_free && is_there;
              }),
              "");
  }
}

TEST_P(NearCacheForkTest, AChildCanHaveANearCacheOfItsOwn) {
  if (!can_fork_beside_busy_threads) GTEST_SKIP() << "the sanitizer's own locks may be held in the child";
  auto store = connected(unobserved(options()));
  const auto session = stored(store);
  EXPECT_EQ(run_in_child([&] {
              auto own = connected(unobserved(options()));
              testing::await("a hit", [&] { return own.get(session.key()).value() == session && hits(own) > 0; });
              return true;
            }),
            "");
}

// As with daemon(3): the parent has ended, its child lives on with a store that it inherited.
TEST_P(NearCacheForkTest, TheServerIsLeftByAParentThatEndsBeforeItsChild) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  EXPECT_EQ(run_in_child([&] {
              const auto store = connected(unobserved(options()));
              ::close(ends[1]);
              if (::fork() != 0) ::_exit(0);
              char byte = 0;
              ::alarm(120);
              return ::read(ends[0], &byte, 1) == 0;
            }),
            "");
  testing::await("the server to have no connection that tracks",
                 [&] { return server.command({"INFO", "clients"}).text.contains("tracking_clients:0"); });
  ::close(ends[0]);
  ::close(ends[1]);
}

OBOL_ON_BOTH_SERVERS(NearCacheForkTest);

}}  // namespace obol::testing
