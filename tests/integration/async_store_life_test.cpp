// Calls of AsyncRedisStore that end early: time limits, cancelling, closing, destruction and forks.
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "obol/background_driver.hpp"
#include "obol/testing/coroutine.hpp"
#include "obol/testing/queueing_executor.hpp"
#include "redis/core/timer_wheel.hpp"
#include "redis/loop/engine.hpp"
#include "redis/loop/loop_timer.hpp"
#include "store/async_store_core.hpp"
#include "store/redis_store_parts.hpp"
#include "support/async_calls.hpp"
#include "support/await.hpp"
#include "support/child.hpp"
#include "support/descriptors.hpp"
#include "support/sanitizers.hpp"
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

// It needs several, and any of them may be the last.
TEST_P(AsyncStoreLifeTest, AnotherStoreForWhichThereAreNoDescriptorsIsAnErrorThatSaysWhatToDo) {
  // UBSan's check of types opens a pipe to see whether it may read memory.
  if constexpr (is_sanitized) GTEST_SKIP() << "a sanitizer needs descriptors itself";
  const auto before = open_descriptors();
  std::size_t spare = 0;
  for (;; ++spare) {
    ASSERT_LT(spare, 20U);
    const NoDescriptors few(spare);
    const auto another = store->another();
    if (another) break;
    EXPECT_TRUE(another.error().message.contains("open files")) << another.error().message;
  }
  EXPECT_GE(spare, 3U);
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_TRUE(outcome_of(*store, store->get(key)));
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

/// A thread for each post, which is ordered behind what the poster did, and behind nothing else.
class ThreadPerPost final : public Executor {
 public:
  void post(Completions ready) noexcept override {
    threads_.emplace_back([this, own = std::move(ready)]() mutable {
      own.run();
      runs_.fetch_add(1, std::memory_order_relaxed);
    });
  }
  int runs() const { return runs_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int> runs_{0};
  std::vector<std::jthread> threads_;
};

// One thread of the executor begins the second command of the create, to see what is stored already; another one ends
// the call, whose time is over. Only ThreadSanitizer notices if nothing orders the latter behind the former.
TEST_P(AsyncStoreLifeTest, ACallIsNotDestroyedWhileAnotherThreadBeginsItsNextCommand) {
  constexpr milliseconds limit{500};
  const auto session = new_session();
  ASSERT_TRUE(outcome_of(*store, store->upsert(session)));
  std::atomic<bool> is_told{false};
  std::error_code code;
  ThreadPerPost executor;
  const auto is_late = std::chrono::steady_clock::now() + limit + milliseconds(50);
  store->upsert(session, {.timeout = limit, .executor = &executor}).start([&](const auto& outcome) {
    code = outcome.error().code;
    is_told = true;
  });
  store->get(key).start([&](const Found&) {
    await("the second command", [&] { return executor.runs() > 0; });
    std::this_thread::sleep_until(is_late);
  });
  drive_until(*store, "the outcome", [&] { return is_told.load(); });
  EXPECT_TRUE(code) << "its time was over";
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

// A time limit passes after the handlers of its round have run.
TEST_P(AsyncStoreLifeTest, IsNotClosedBeforeTheHandlerOfALateCallHasRun) {
  const Told late(store->get(key, {.timeout = milliseconds(30)}));
  send_to_silent_server();
  store->close();
  drive_until(*store, "the store to be closed", [&] { return store->closed(); });
  EXPECT_EQ(late.times(), 1);
}

TEST_P(AsyncStoreLifeTest, IsNotClosedWhileHandlersWaitBehindOneThatThrew) {
  store->get(key).start([](const Found&) { throw std::runtime_error("a handler's"); });
  std::optional<bool> was_closed;
  store->get(key).start([&](const Found&) { was_closed = store->closed(); });
  send_to_silent_server();
  store->close();
  server.signal(SIGCONT);
  EXPECT_THROW(drive_until(*store, "the first handler", [] { return false; }), std::runtime_error);
  EXPECT_FALSE(store->closed() && !was_closed);
  drive_until(*store, "the store to be closed", [&] { return store->closed(); });
  EXPECT_EQ(was_closed, false) << "a handler's own call has not ended";
}

TEST_P(AsyncStoreLifeTest, IsNotClosedWhileACallThatItRefusedIsNotTold) {
  store->close();
  drive_until(*store, "the store to be closed", [&] { return store->closed(); });
  const Told refused(store->get(key));
  EXPECT_FALSE(store->closed());
  drive_until(*store, "the store to be closed", [&] { return store->closed(); });
  EXPECT_EQ(refused.times(), 1);
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

class TellsWhenDelivered final : public Completion {
 public:
  std::atomic<bool> was_told = false;

 private:
  void complete() override { was_told = true; }
  void drop() noexcept override {}
};

// The thread that asks has the outcome of diagnose(), and takes its time to hand it over.
TEST_P(AsyncStoreLifeTest, ADestructorWaitsForAnOutcomeThatIsJustBeingDelivered) {
  const auto parts = std::make_shared<RedisStoreParts>(options_for(server));
  ASSERT_TRUE(parts->start());
  auto engine = redis::Engine::create({parts, &parts->client()}, parts->options().pool);
  ASSERT_TRUE(engine);
  const auto core = std::make_shared<AsyncStoreCore>(parts, std::move(*engine));
  TellsWhenDelivered ended;
  const auto id = core->aside().add([] { ADD_FAILURE() << "it has an outcome already"; });
  std::latch is_claimed{1};
  const std::jthread background([&] {
    core->end_aside(id, [&](redis::Engine& engine_to_deliver) {
      is_claimed.count_down();
      // A destructor that does not wait is over by then.
      std::this_thread::sleep_for(milliseconds(50));
      engine_to_deliver.deliver(ended, nullptr);
    });
  });
  is_claimed.wait();
  core->shut_down();
  EXPECT_TRUE(ended.was_told);
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

/// Repeats its call whenever that fails, as a host may do that thinks of nothing bad.
class Insistent {
 public:
  Insistent(AsyncSessionStore& store, SessionKey key) : store_(store), key_(std::move(key)) {}

  void begin() {
    store_.get(key_).start([this, own = held](const Found& found) {
      ++times;
      if (!found && times < too_often) begin();
    });
  }

  static constexpr int too_often = 1000;
  int times = 0;
  const std::shared_ptr<int> held = std::make_shared<int>();  ///< By the handler.

 private:
  AsyncSessionStore& store_;
  const SessionKey key_;
};

TEST_P(AsyncStoreLifeTest, ADestructorEndsThoughAHandlerBeginsACallWheneverItIsTold) {
  Insistent insistent(*store, key);
  insistent.begin();
  store.reset();
  EXPECT_GE(insistent.times, 2) << "what a handler begins is told, too";
  EXPECT_LT(insistent.times, Insistent::too_often);
  EXPECT_EQ(insistent.held.use_count(), 1) << "a handler was not destroyed";
}

TEST_P(AsyncStoreLifeTest, RunReadyEndsInAChildThoughAHandlerBeginsACallWheneverItIsTold) {
  Insistent insistent(*store, key);
  insistent.begin();
  EXPECT_EQ(run_in_child([&] {
              store->run_ready();
              const int times = insistent.times;
              store->run_ready();
              const bool is_one_a_round = times == 1 && insistent.times == 2;
              store.reset();
              return is_one_a_round && insistent.times < Insistent::too_often;
            }),
            "");
  store.reset();
}

TEST_P(AsyncStoreLifeTest, AnExceptionOutOfAHandlerDuringTheDestructorKeepsNoOtherFromItsEnd) {
  auto& dying = *store;
  int times = 0;
  const auto count_and_throw = [&times](const Found&) {
    ++times;
    throw std::runtime_error("a handler's");
  };
  store->get(key).start(count_and_throw);
  store->get(key).start([&](const Found& found) {
    dying.get(key).start(count_and_throw);
    count_and_throw(found);
  });
  const Told behind_them(store->get(key));
  store.reset();
  EXPECT_EQ(times, 3);
  EXPECT_EQ(behind_them.code(), ErrorCode::closed);
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

// Some of them are inside a stop callback, which nobody ends in the child.
TEST_P(AsyncStoreLifeTest, AChildEndsCallsThatThreadsOfTheParentWereCancelling) {
  if (!can_fork_beside_busy_threads) GTEST_SKIP() << "a child may find a lock of the sanitizer held";
  constexpr int forks = 20;
  constexpr int most_waiting = 1000;
  std::atomic<int> waiting{0};
  std::atomic<bool> is_over{false};
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      while (!is_over) {
        if (waiting >= most_waiting) {
          std::this_thread::yield();
          continue;
        }
        const std::stop_source stop;
        ++waiting;
        store->get(key, {.stop = stop.get_token()}).start([&](const Found&) { --waiting; });
        stop.request_stop();
      }
    });
  }
  for (int i = 0; i < forks; ++i) {
    EXPECT_EQ(run_in_child([&] {
                store->run_ready();
                store.reset();
                return true;
              }),
              "")
        << "child " << i;
    if (HasFailure()) break;
    store->run_ready();
  }
  is_over = true;
  threads.clear();
  store.reset();
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
