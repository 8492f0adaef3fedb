// AsyncSessionManager over AsyncRedisStore, while another thread drives: calls that are cancelled, abandoned or ended
// with their store at any moment.
#include "obol/async_session_manager.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "obol/async_redis_store.hpp"
#include "obol/background_driver.hpp"
#include "obol/testing/coroutine.hpp"
#include "obol/testing/hand_clock.hpp"
#include "obol/testing/queueing_executor.hpp"
#include "support/async_calls.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

class AsyncSessionManagerOnServers : public ServerTest {
 protected:
  AsyncSessionManager managing(const std::shared_ptr<AsyncSessionStore>& managed) const {
    return AsyncSessionManager::create(managed, {.keyring = Keyring(signing_key()), .clock = hand.clock()}).value();
  }
  std::shared_ptr<AsyncRedisStore> connected_store() const {
    return std::make_shared<AsyncRedisStore>(AsyncRedisStore::connect(options_for(server)).value());
  }
  /// A refresh with this token reads and writes.
  LoggedIn settled(AsyncSessionManager& manager) const {
    auto login = manager.log_in("user", "payload", hand.now()).wait().value();
    hand.pass(std::chrono::minutes(2));
    return login;
  }
  /// Each round a bit longer than the one before.
  static void linger(int round) {
    for (int turn = 0; turn < round * 200; ++turn) std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  static constexpr int rounds = 300;

  const HandClock hand;
};

TEST_P(AsyncSessionManagerOnServers, ACallIsStoppedFromAnotherThreadAtAnyMoment) {
  const auto store = connected_store();
  auto manager = managing(store);
  const BackgroundDriver driver(*store);
  auto login = settled(manager);
  for (int round = 0; round < rounds; ++round) {
    const std::stop_source stop;
    auto refreshed = manager.refresh(login.tokens.refresh, {.stop = stop.get_token()}).future();
    linger(round);
    stop.request_stop();
    const auto outcome = refreshed.get();
    if (!outcome) {
      EXPECT_EQ(outcome.error().code, ErrorCode::cancelled) << outcome.error().message;
    }
    // Whether it was stored or not, the token is of the generation before at most.
    auto next = manager.refresh(login.tokens.refresh).wait();
    ASSERT_TRUE(next.has_value() && next->has_value());
    login = std::move(**next);
    hand.pass(std::chrono::minutes(2));
  }
}

Coroutine await_refresh(AsyncSessionManager& manager, std::string token, CallOptions options, bool& was_told) {
  static_cast<void>(co_await manager.refresh(std::move(token), std::move(options)));
  was_told = true;
}

// The steps of the call run in this thread; the store's calls end in that of the driver.
TEST_P(AsyncSessionManagerOnServers, ACoroutineIsDestroyedAtAnyMoment) {
  const auto store = connected_store();
  auto manager = managing(store);
  const BackgroundDriver driver(*store);
  auto login = settled(manager);
  QueueingExecutor executor;
  for (int round = 0; round < rounds; ++round) {
    bool was_told = false;
    {
      const auto coroutine = await_refresh(manager, login.tokens.refresh, {.executor = &executor}, was_told);
      linger(round);
      executor.take().run();
      linger(round);
    }
    executor.take().run();
    auto next = manager.refresh(login.tokens.refresh).wait();
    ASSERT_TRUE(next.has_value() && next->has_value());
    login = std::move(**next);
    hand.pass(std::chrono::minutes(2));
  }
  // What was abandoned has ended, or ends with the store.
  executor.take().run();
}

TEST_P(AsyncSessionManagerOnServers, AllEndsWithTheStoreAtAnyMoment) {
  for (int round = 0; round < 40; ++round) {
    auto store = connected_store();
    std::optional<AsyncSessionManager> manager = managing(store);
    std::optional<BackgroundDriver> driver(*store);
    const auto login = settled(*manager);
    QueueingExecutor executor;
    std::atomic<int> told = 0;
    constexpr int calls = 6;
    for (int call = 0; call < calls; ++call) {
      manager->refresh(login.tokens.refresh, {.executor = call % 2 == 0 ? &executor : nullptr})
          .start([&](const Result<std::optional<LoggedIn>>& outcome) {
            ++told;
            if (!outcome) {
              EXPECT_EQ(outcome.error().code, ErrorCode::closed) << outcome.error().message;
            }
          });
    }
    linger(round);
    executor.take().run();
    driver.reset();
    manager.reset();
    store.reset();
    executor.take().run();
    EXPECT_EQ(told, calls);
  }
}

// By one thread, which drives too.
TEST_P(AsyncSessionManagerOnServers, OfManyRefreshesAtOnceOneBeginsAGeneration) {
  const auto store = connected_store();
  auto manager = managing(store);
  std::optional<LoggedIn> login;
  {
    const BackgroundDriver driver(*store);
    login = settled(manager);
  }
  std::vector<std::uint64_t> versions;
  constexpr std::size_t calls = 64;
  for (std::size_t call = 0; call < calls; ++call) {
    manager.refresh(login->tokens.refresh).start([&](const Result<std::optional<LoggedIn>>& outcome) {
      versions.push_back(outcome && *outcome ? (*outcome)->session.lock_version : 0);
    });
  }
  drive_until(*store, "all refreshes", [&] { return versions.size() == calls; });
  EXPECT_EQ(versions, std::vector<std::uint64_t>(calls, 2));
}

// A call that is stopped while the server is silent ends at once; so does one at its time limit.
TEST_P(AsyncSessionManagerOnServers, ASilentServerHoldsNoCallUpBeyondItsTimeLimit) {
  const auto store = connected_store();
  auto manager = managing(store);
  const BackgroundDriver driver(*store);
  const auto login = settled(manager);
  server.signal(SIGSTOP);
  EXPECT_EQ(manager.refresh(login.tokens.refresh, {.timeout = std::chrono::milliseconds(50)}).wait().error().code,
            ErrorCode::timeout);
  const std::stop_source stop;
  auto stopped = manager.refresh(login.tokens.refresh, {.stop = stop.get_token()}).future();
  stop.request_stop();
  EXPECT_EQ(stopped.get().error().code, ErrorCode::cancelled);
  server.signal(SIGCONT);
  EXPECT_TRUE(manager.refresh(login.tokens.refresh).wait().value());
}

OBOL_ON_BOTH_SERVERS(AsyncSessionManagerOnServers);

}}  // namespace obol::testing
