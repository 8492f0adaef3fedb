// Calls of AsyncRedisStore that end early: time limits, cancelling, closing, destruction and forks.
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "obol/background_driver.hpp"
#include "obol/testing/coroutine.hpp"
#include "obol/testing/queueing_executor.hpp"
#include "redis/core/timer_wheel.hpp"
#include "redis/loop/loop_timer.hpp"
#include "support/async_calls.hpp"
#include "support/child.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;
using Found = Result<std::optional<Session>>;

class AsyncStoreLifeTest : public ServerTest {
 protected:
  void SetUp() override {
    store = std::make_unique<AsyncRedisStore>(async_connected(options_for(server, observer)));
    ASSERT_TRUE(outcome_of(*store, store->get(key))) << "the connection is there";
  }
  void TearDown() override { server.signal(SIGCONT); }

  /// Sends what has begun to a server that does not answer.
  void send_to_silent_server() {
    server.signal(SIGSTOP);
    store->run_ready();
    drive_until(*store, "the commands to be sent", [&] { return store->pool_statistics().waiting == 0; });
  }

  /// In the thread of the test.
  template <class Outcome>
  void drive_until_told(const Told<Outcome>& told) {
    drive_until(*store, "the outcome", [&] { return told.times() > 0; });
  }

  bool is_stored(const Session& session) const { return store_on(server).get(session.key()).value().has_value(); }

  const SessionKey key = new_session("nobody", "absent").key();
  std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();
  std::unique_ptr<AsyncRedisStore> store;
};

TEST_P(AsyncStoreLifeTest, ACallEndsByItsOwnTimeLimit) {
  server.signal(SIGSTOP);
  const auto begun = std::chrono::steady_clock::now();
  const Told told(store->get(key, {.timeout = milliseconds(30)}));
  drive_until_told(told);
  EXPECT_EQ(told.code(), ErrorCode::timeout);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(30));
}

// The host drives until the call is due, and then only if the descriptor is readable: the last round may have begun
// before the time and ended after it.
TEST_P(AsyncStoreLifeTest, ATimeLimitThatPassesInTheMiddleOfARoundIsTold) {
  using Time = std::chrono::steady_clock;
  constexpr auto tick = redis::TimerWheel<redis::LoopTimer>::tick_length;
  constexpr milliseconds limit{12};
  server.signal(SIGSTOP);
  for (int i = 0; i < 60; ++i) {
    // In the middle of a tick, so that the end of the last one is known.
    while (Time::now().time_since_epoch() % tick < tick / 4 || Time::now().time_since_epoch() % tick > tick / 2) {
    }
    const Time::time_point due(std::chrono::ceil<milliseconds>(Time::now().time_since_epoch() + limit) / tick * tick +
                               tick);
    Told told(store->get(key, {.timeout = limit}));
    while (Time::now() < due) store->run_ready();
    while (!told) {
      pollfd watched{.fd = store->descriptor(), .events = POLLIN, .revents = 0};
      ASSERT_EQ(::poll(&watched, 1, 10'000), 1) << "the time limit passed, and nothing tells the host of it";
      store->run_ready();
    }
    EXPECT_FALSE(told->has_value());
  }
}

TEST_P(AsyncStoreLifeTest, ACallThatWasCancelledBeforeItBeganIsKnownAtOnce) {
  const std::stop_source stop;
  stop.request_stop();
  std::optional<Found> found;
  const auto coroutine = [](AsyncCall<Found> call, std::optional<Found>& outcome) -> Coroutine {
    outcome = co_await std::move(call);
  }(store->get(key, {.stop = stop.get_token()}), found);
  ASSERT_TRUE(coroutine.done());
  EXPECT_EQ(found->error().code, ErrorCode::cancelled);
}

TEST_P(AsyncStoreLifeTest, ACallThatIsCancelledBeforeItIsSentDoesNothing) {
  const std::stop_source stop;
  const auto session = new_session();
  const Told told(store->upsert(session, {.stop = stop.get_token()}));
  stop.request_stop();
  EXPECT_EQ(told.times(), 0);
  drive_until_told(told);
  EXPECT_EQ(told.code(), ErrorCode::cancelled);
  ASSERT_TRUE(outcome_of(*store, store->get(key)));
  EXPECT_FALSE(is_stored(session));
  EXPECT_EQ(observer->count("call create failed"), 1U);
}

TEST_P(AsyncStoreLifeTest, ACallThatIsCancelledInFlightEndsAtOnceAndItsReplyIsNobodys) {
  const auto session = new_session();
  std::stop_source stop;
  const Told told(store->upsert(session, {.stop = stop.get_token()}));
  send_to_silent_server();
  std::jthread([&] { stop.request_stop(); }).join();
  drive_until_told(told);
  EXPECT_EQ(told.code(), ErrorCode::cancelled);
  server.signal(SIGCONT);
  EXPECT_EQ(outcome_of(*store, store->get(key)).value(), std::nullopt);
  EXPECT_TRUE(is_stored(session)) << "it had been sent";
  EXPECT_EQ(told.times(), 1);
}

TEST_P(AsyncStoreLifeTest, AStopThatComesTooLateDoesNothing) {
  const std::stop_source stop;
  Told told(store->get(key, {.stop = stop.get_token()}));
  drive_until_told(told);
  stop.request_stop();
  ASSERT_TRUE(outcome_of(*store, store->get(key)));
  EXPECT_EQ(told->value(), std::nullopt);
  EXPECT_EQ(told.times(), 1);
}

TEST_P(AsyncStoreLifeTest, ACoroutineMayBeDestroyedWhileItWaits) {
  const auto session = new_session();
  bool was_resumed = false;
  const auto create = [&](AsyncRedisStore& asked, Session created) -> Coroutine {
    (void)co_await asked.upsert(std::move(created));
    was_resumed = true;
  };
  {
    const auto unsent = create(*store, session);
  }
  ASSERT_TRUE(outcome_of(*store, store->get(key)));
  EXPECT_FALSE(is_stored(session)) << "its command was not sent";
  {
    const auto sent = create(*store, session);
    send_to_silent_server();
  }
  server.signal(SIGCONT);
  ASSERT_TRUE(outcome_of(*store, store->get(key)));
  EXPECT_TRUE(is_stored(session));
  EXPECT_FALSE(was_resumed);
  // The reply to the second one may be read before it is cancelled.
  EXPECT_EQ(observer->count("call create "), 2U);
}

// Each call is told once, whatever comes first: its reply, its end, or the thread that begins it.
TEST_P(AsyncStoreLifeTest, CallsAreCancelledByAnyThreadAtAnyTime) {
  constexpr int calls_per_thread = 400;
  std::atomic<int> told{0};
  {
    const BackgroundDriver driver(*store);
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&] {
        for (int i = 0; i < calls_per_thread; ++i) {
          std::stop_source stop;
          const auto user = "user " + std::to_string(i % 7);
          const auto keep = [&](const auto& outcome) {
            EXPECT_TRUE(outcome || outcome.error().code == ErrorCode::cancelled ||
                        outcome.error().code == ErrorCode::conflict)
                << outcome.error().message;
            ++told;
          };
          const std::jthread stopper([&] { stop.request_stop(); });
          store->get({.user_id = user, .id = "absent"}, {.stop = stop.get_token()}).start(keep);
          store->upsert(new_session(user), {.stop = stop.get_token()}).start(keep);
        }
      });
    }
    threads.clear();
    await("every call to be told", [&] { return told >= 8 * calls_per_thread; });
    ASSERT_TRUE(store->get(key).wait());
  }
  EXPECT_EQ(told, 8 * calls_per_thread);
}

TEST_P(AsyncStoreLifeTest, ACloseLetsCallsInFlightFinishAndRefusesOthers) {
  Told in_flight(store->get(key));
  send_to_silent_server();
  store->close();
  EXPECT_FALSE(store->closed());
  Told later(store->get(key));
  Told diagnosis(store->diagnose());
  EXPECT_EQ(later.times() + diagnosis.times(), 0);
  server.signal(SIGCONT);
  drive_until(*store, "the store to be closed", [&] { return store->closed() && later && diagnosis; });
  EXPECT_EQ(in_flight->value(), std::nullopt);
  EXPECT_EQ(later.code(), ErrorCode::closed);
  EXPECT_EQ(diagnosis.code(), ErrorCode::closed);
  EXPECT_EQ(store->another().error().code, ErrorCode::closed);
}

TEST_P(AsyncStoreLifeTest, ADestructorEndsAllCalls) {
  QueueingExecutor executor;
  const Told in_flight(store->get(key));
  const Told update(store->upsert(new_session(), {.executor = &executor}));
  send_to_silent_server();
  const Told diagnosis(store->diagnose());
  const Told unsent(store->delete_one(key));
  const auto begun = std::chrono::steady_clock::now();
  store.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, ample_timeouts.total / 2);
  EXPECT_EQ(in_flight.code(), ErrorCode::closed);
  EXPECT_EQ(unsent.code(), ErrorCode::closed);
  EXPECT_EQ(diagnosis.code(), ErrorCode::closed);
  EXPECT_EQ(update.times(), 0);
  executor.take().run();
  EXPECT_EQ(update.code(), ErrorCode::closed);
  EXPECT_EQ(observer->count("call create failed"), 1U);
}

TEST_P(AsyncStoreLifeTest, WhatHandlersBeginDuringTheDestructorIsRefused) {
  int times = 0;
  std::error_code code;
  auto& dying = *store;
  store->get(key).start([&](const Found&) {
    dying.get(key).start([&](const Found& found) {
      ++times;
      code = found.error().code;
    });
  });
  store.reset();
  EXPECT_EQ(times, 1);
  EXPECT_EQ(code, ErrorCode::closed);
}

TEST_P(AsyncStoreLifeTest, ACallThatBeginsAfterItsStoreIsRefused) {
  QueueingExecutor executor;
  auto awaited = store->get(key);
  auto posted = store->get(key, {.executor = &executor});
  auto nobodys = store->get(key);
  store.reset();
  std::optional<Found> found;
  const auto coroutine = [](AsyncCall<Found> call, std::optional<Found>& outcome) -> Coroutine {
    outcome = co_await std::move(call);
  }(std::move(awaited), found);
  ASSERT_TRUE(coroutine.done());
  EXPECT_EQ(found->error().code, ErrorCode::closed);
  const Told told(std::move(posted));
  executor.take().run();
  EXPECT_EQ(told.code(), ErrorCode::closed);
  EXPECT_THROW(static_cast<void>(std::move(nobodys).future().get()), std::future_error);
}

TEST_P(AsyncStoreLifeTest, StoresMadeFromEachOtherEndOnTheirOwn) {
  auto another = store->another().value();
  Told of_another(another.get(key));
  store->close();
  drive_until(another, "the other's outcome", [&] { return of_another.times() > 0; });
  EXPECT_EQ(of_another->value(), std::nullopt);
  store.reset();
  EXPECT_EQ(outcome_of(another, another.get(key)).value(), std::nullopt);
  EXPECT_FALSE(another.closed());
  EXPECT_TRUE(outcome_of(another, another.diagnose()));
}

TEST_P(AsyncStoreLifeTest, StatisticsMayBeAskedForAfterIt) {
  const auto source = store->statistics_source();
  EXPECT_GE(source()->pool.opened, 1U);
  EXPECT_EQ(source()->pool.waiting, store->pool_statistics().waiting);
  store.reset();
  EXPECT_FALSE(source());
}

TEST_P(AsyncStoreLifeTest, InAForkedChildEveryCallFailsAndTheParentGoesOn) {
  Told in_flight(store->get(key));
  send_to_silent_server();
  EXPECT_EQ(run_in_child([&] {
              std::error_code code;
              store->upsert(new_session()).start([&](const auto& outcome) { code = outcome.error().code; });
              store->run_ready();
              const bool is_refused = code == ErrorCode::closed && !store->another() && !store->statistics_source()();
              store.reset();
              return is_refused && in_flight && in_flight.code() == ErrorCode::closed;
            }),
            "");
  server.signal(SIGCONT);
  drive_until_told(in_flight);
  EXPECT_EQ(in_flight->value(), std::nullopt);
  EXPECT_FALSE(is_stored(new_session()));
}

// What it has begun by then must not be sent: where the parent's socket was, the child may have another.
TEST_P(AsyncStoreLifeTest, AHandlerMayForkAndTheChildGoOn) {
  pid_t child = -1;
  std::array<int, 2> strangers{-1, -1};
  const Told first(store->get(key));
  store->get(key).start([&](const Found&) {
    store->get(key).start([](const Found&) {});
    child = ::fork();
    if (child != 0) return;
    ::alarm(60);
    ::socketpair(AF_UNIX, SOCK_STREAM, 0, strangers.data());
    for (int i = 0; i < 100; ++i) static_cast<void>(::dup(strangers[0]));
  });
  drive_until(*store, "a child", [&] { return child >= 0; });
  if (child == 0) {
    store->run_ready();
    char byte = 0;
    const bool is_sent_to = ::recv(strangers[1], &byte, 1, MSG_DONTWAIT) >= 0;
    store.reset();
    ::_exit(is_sent_to ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_FALSE(WIFSIGNALED(status)) << "the child was ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0) << "the child has sent to a stranger";
  EXPECT_EQ(outcome_of(*store, store->get(key)).value(), std::nullopt);
  EXPECT_TRUE(first);
}

OBOL_ON_BOTH_SERVERS(AsyncStoreLifeTest);

}}  // namespace obol::testing
