// A GoogleTest suite for any AsyncSessionStore: checks what it promises beyond the guarantees of SessionStore, which
// are for store_conformance.hpp.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "obol/async_session_store.hpp"
#include "obol/background_driver.hpp"
#include "obol/observer.hpp"
#include "obol/testing/coroutine.hpp"
#include "obol/testing/queueing_executor.hpp"

/// Used like StoreConformance. The factory's `make_store()` returns an asynchronous store on fresh, empty data, whose
/// calls may take seconds if the machine is busy. Its optional `make_observed_store(std::shared_ptr<Observer>)` returns
/// one that tells the observer.
namespace obol::testing {

/// Owns a store that the test drives by hand, in its own thread, unless it starts a BackgroundDriver.
template <class Factory>
class AsyncStoreConformance : public ::testing::Test {
 protected:
  using Found = Result<std::optional<Session>>;
  using Stored = std::expected<UpsertedSession, UpsertError>;

  static Session make_session(std::string id = "session") {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return {.id = std::move(id),
            .user_id = "user",
            .created_at = now,
            .refreshed_at = now,
            .refresh_expires_at = now + std::chrono::hours(1)};
  }

  /// A key that every store refuses.
  static SessionKey refused_key() { return {.user_id = {}, .id = "session"}; }

  /// True if the store has work.
  bool is_readable(std::chrono::milliseconds wait = {}) const {
    pollfd watched{.fd = store->descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&watched, 1, static_cast<int>(wait.count())) == 1;
  }

  /// Waits until the store has work, and lets it do that. Throws if it has none for a minute.
  void drive_once() {
    if (!is_readable(std::chrono::minutes(1))) throw std::runtime_error("the store had no work for a minute");
    store->run_ready();
  }

  void drive_until(const std::function<bool()>& holds) {
    while (!holds()) drive_once();
  }

  /// Begins the call and drives the store until it has ended.
  template <class T>
  T outcome_of(AsyncCall<T> call) {
    auto outcome = std::move(call).future();
    drive_until([&] { return outcome.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
    return outcome.get();
  }

  Session stored(Session session) {
    auto outcome = outcome_of(store->upsert(std::move(session)));
    EXPECT_TRUE(outcome.has_value()) << (outcome ? "" : outcome.error().message);
    return outcome ? std::move(outcome->session) : Session{};
  }

  static constexpr int functions = 9;

  /// Begins a call of each function (delete_all: with one type, and with several), and calls `ended` when one has
  /// ended.
  void begin_each(const CallOptions& options, const std::function<void()>& ended) {
    const auto begin = [&](auto call) { std::move(call).start([ended](const auto&) { ended(); }); };
    const auto session = make_session();
    begin(store->get(session.key(), options));
    begin(store->get_many({session.key(), session.key()}, options));
    begin(store->upsert(session, options));
    begin(store->rotate_id(session, options));
    begin(store->delete_one(session.key(), options));
    begin(store->get_all("user", "full", options));
    begin(store->delete_all("user", "full", options));
    begin(store->delete_all("user", std::vector<std::string>{"full", "pending"}, options));
    begin(store->delete_others(session.key(), options));
  }

  /// Asks for a session, and in the handler for the next, so many times. Calls fail at once if the key is refused.
  static void begin_chain(AsyncSessionStore& store, const SessionKey& key, int times,
                          const std::function<void()>& ended) {
    store.get(key).start([&store, key, times, ended](const Found&) {
      ended();
      if (times > 1) begin_chain(store, key, times - 1, ended);
    });
  }

  static Coroutine await_get(AsyncSessionStore& store, SessionKey key, CallOptions options,
                             std::optional<Found>& found) {
    found.emplace(co_await store.get(std::move(key), std::move(options)));
  }

  Factory factory;
  std::unique_ptr<AsyncSessionStore> store = factory.make_store();
};
TYPED_TEST_SUITE_P(AsyncStoreConformance);

TYPED_TEST_P(AsyncStoreConformance, ACallThatIsNotBegunDoesNothing) {
  const auto session = this->make_session();
  {
    auto never_begun = this->store->upsert(session);
  }
  EXPECT_EQ(this->outcome_of(this->store->get(session.key())).value(), std::nullopt);
}

TYPED_TEST_P(AsyncStoreConformance, AHandlerIsCalledOnceAndNeverInsideStart) {
  for (const auto& key : {this->make_session().key(), this->refused_key()}) {
    int told = 0;
    this->store->get(key).start([&](const typename TestFixture::Found&) { ++told; });
    EXPECT_EQ(told, 0);
    this->drive_until([&] { return told > 0; });
    EXPECT_TRUE(this->outcome_of(this->store->get(this->make_session("later").key())).has_value());
    EXPECT_EQ(told, 1);
  }
}

TYPED_TEST_P(AsyncStoreConformance, ACallOfEachFunctionEnds) {
  int told = 0;
  this->begin_each({}, [&] { ++told; });
  EXPECT_EQ(told, 0);
  this->drive_until([&] { return told == this->functions; });
}

TYPED_TEST_P(AsyncStoreConformance, ACallNeedsNoHandler) {
  const auto session = this->make_session();
  this->store->upsert(session).start({});
  this->drive_until([&] { return this->outcome_of(this->store->get(session.key())).value().has_value(); });
}

TYPED_TEST_P(AsyncStoreConformance, UpsertGivesTheSessionAsItIsStored) {
  const auto session = this->make_session();
  const auto stored = this->stored(session);
  EXPECT_EQ(stored.lock_version, 1U);
  EXPECT_EQ(this->outcome_of(this->store->get(session.key())).value(), stored);
  const auto loser = this->outcome_of(this->store->upsert(session));
  ASSERT_FALSE(loser.has_value());
  EXPECT_EQ(loser.error().code, ErrorCode::conflict);
  EXPECT_EQ(loser.error().current, stored);
}

TYPED_TEST_P(AsyncStoreConformance, RotateIdGivesTheSessionWithItsNewId) {
  const auto session = this->stored(this->make_session());
  const auto rotated = this->outcome_of(this->store->rotate_id(session));
  ASSERT_TRUE(rotated.has_value()) << rotated.error().message;
  EXPECT_NE(rotated->id, session.id);
  EXPECT_EQ(rotated->lock_version, 2U);
  EXPECT_EQ(this->outcome_of(this->store->get(rotated->key())).value(), *rotated);
  EXPECT_EQ(this->outcome_of(this->store->get(session.key())).value(), std::nullopt);
}

TYPED_TEST_P(AsyncStoreConformance, DeleteAllOfSeveralTypesDeletesThoseTypesOnly) {
  auto pending = this->make_session();
  pending.type = "pending";
  auto other = pending;
  other.type = "oauth2";
  for (auto* session : {&pending, &other}) *session = this->stored(*session);
  const auto full = this->stored(this->make_session());
  ASSERT_TRUE(this->outcome_of(this->store->delete_all(full.user_id, {"full", "pending"})).has_value());
  EXPECT_EQ(this->outcome_of(this->store->get(full.key())).value(), std::nullopt);
  EXPECT_EQ(this->outcome_of(this->store->get(pending.key())).value(), std::nullopt);
  EXPECT_EQ(this->outcome_of(this->store->get(other.key())).value(), other);
}

TYPED_TEST_P(AsyncStoreConformance, HandlersRunOnTheExecutorOfTheirCall) {
  QueueingExecutor executor;
  int told = 0;
  bool is_running = false;
  this->begin_each({.executor = &executor}, [&] {
    EXPECT_TRUE(is_running) << "a handler ran outside its executor";
    ++told;
  });
  while (told < this->functions) {
    auto posted = executor.take();
    if (posted.empty()) {
      this->drive_once();
    } else {
      is_running = true;
      posted.run();
      is_running = false;
    }
  }
}

TYPED_TEST_P(AsyncStoreConformance, HandlersWithoutAnExecutorRunInTheThreadThatDrives) {
  int told = 0;
  std::promise<void> all;
  const auto here = std::this_thread::get_id();
  this->begin_each({}, [&] {
    EXPECT_NE(std::this_thread::get_id(), here);
    if (++told == this->functions) all.set_value();
  });
  const BackgroundDriver driver(*this->store);
  all.get_future().wait();
}

TYPED_TEST_P(AsyncStoreConformance, CallsOfManyThreadsAreToldOnceEach) {
  constexpr int threads = 4;
  constexpr int calls = 100;
  std::atomic<int> told = 0;
  std::vector<std::jthread> callers;
  for (int caller = 0; caller < threads; ++caller) {
    callers.emplace_back([&, caller] {
      for (int call = 0; call < calls; ++call) {
        const auto key = call % 10 == 0 ? this->refused_key() : this->make_session(std::to_string(caller)).key();
        this->store->get(key).start([&](const typename TestFixture::Found&) { ++told; });
      }
    });
  }
  this->drive_until([&] { return told >= threads * calls; });
  callers.clear();
  EXPECT_TRUE(this->outcome_of(this->store->get(this->make_session().key())).has_value());
  EXPECT_EQ(told, threads * calls);
}

TYPED_TEST_P(AsyncStoreConformance, AnObserverIsToldOfACallBeforeItsHandler) {
  if constexpr (!requires { this->factory.make_observed_store(std::shared_ptr<Observer>()); }) {
    GTEST_SKIP() << "the factory makes no store with an observer";
  } else {
    struct Counter final : Observer {
      void on_call(const CallEvent&) noexcept override { ++calls; }
      std::atomic<int> calls = 0;
    };
    const auto counter = std::make_shared<Counter>();
    this->store = this->factory.make_observed_store(counter);
    int told = 0;
    this->begin_each({}, [&] {
      ++told;
      EXPECT_GE(counter->calls, told) << "a handler ran before the observer";
    });
    this->drive_until([&] { return told == this->functions; });
    EXPECT_EQ(counter->calls, this->functions);
  }
}

TYPED_TEST_P(AsyncStoreConformance, ACoroutineGoesOnWithTheOutcome) {
  for (const auto& key : {this->make_session().key(), this->refused_key()}) {
    std::optional<typename TestFixture::Found> found;
    const auto coroutine = this->await_get(*this->store, key, {}, found);
    this->drive_until([&] { return coroutine.done(); });
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->has_value(), !key.user_id.empty());
  }
}

TYPED_TEST_P(AsyncStoreConformance, ACoroutineGoesOnOnTheExecutorOfItsCall) {
  QueueingExecutor executor;
  std::optional<typename TestFixture::Found> found;
  const auto coroutine = this->await_get(*this->store, this->make_session().key(), {.executor = &executor}, found);
  while (!coroutine.done()) {
    auto posted = executor.take();
    if (posted.empty()) {
      this->drive_once();
      EXPECT_FALSE(coroutine.done()) << "a coroutine went on outside its executor";
    }
    posted.run();
  }
}

TYPED_TEST_P(AsyncStoreConformance, ACoroutineThatIsDestroyedIsNotResumed) {
  std::optional<typename TestFixture::Found> found;
  bool was_done = false;
  {
    const auto coroutine = this->await_get(*this->store, this->make_session().key(), {}, found);
    was_done = coroutine.done();
  }
  EXPECT_TRUE(this->outcome_of(this->store->get(this->make_session("later").key())).has_value());
  EXPECT_EQ(found.has_value(), was_done);
}

TYPED_TEST_P(AsyncStoreConformance, ACoroutineMayBeDestroyedBetweenPostAndRun) {
  QueueingExecutor executor;
  std::optional<typename TestFixture::Found> found;
  std::optional<Coroutine> coroutine;
  coroutine.emplace(this->await_get(*this->store, this->make_session().key(), {.executor = &executor}, found));
  const bool was_done = coroutine->done();
  Completions posted;
  while (!was_done && posted.empty()) {
    this->drive_once();
    posted = executor.take();
  }
  coroutine.reset();
  posted.run();
  EXPECT_EQ(found.has_value(), was_done);
}

TYPED_TEST_P(AsyncStoreConformance, AHandlerMayDestroyACoroutine) {
  std::optional<typename TestFixture::Found> found;
  std::optional<Coroutine> coroutine;
  int told = 0;
  for (int call = 0; call < 10; ++call) {
    this->store->get(this->make_session().key()).start([&](const typename TestFixture::Found&) {
      coroutine.reset();
      ++told;
    });
    if (call == 5) coroutine.emplace(this->await_get(*this->store, this->make_session().key(), {}, found));
  }
  this->drive_until([&] { return told == 10; });
  EXPECT_FALSE(coroutine.has_value());
}

TYPED_TEST_P(AsyncStoreConformance, ChainsOfHandlersDoNotGrowTheStack) {
  for (const auto& key : {this->refused_key(), this->make_session().key()}) {
    std::uintptr_t lowest = std::numeric_limits<std::uintptr_t>::max();
    std::uintptr_t highest = 0;
    int told = 0;
    constexpr int times = 1000;
    this->begin_chain(*this->store, key, times, [&] {
      const auto frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
      lowest = std::min(lowest, frame);
      highest = std::max(highest, frame);
      ++told;
    });
    this->drive_until([&] { return told == times; });
    EXPECT_LT(highest - lowest, 16'384U);
  }
}

TYPED_TEST_P(AsyncStoreConformance, ARoundEndsThoughItsHandlersBeginCalls) {
  int told = 0;
  constexpr int times = 1000;
  this->begin_chain(*this->store, this->refused_key(), times, [&] { ++told; });
  this->drive_until([&] { return told > 0; });
  EXPECT_LT(told, times) << "one run_ready() went on while handlers began calls that failed at once";
  this->drive_until([&] { return told == times; });
}

TYPED_TEST_P(AsyncStoreConformance, ALoopOfOutcomesDoesNotGrowACoroutinesStack) {
  constexpr int times = 10'000;
  std::uintptr_t lowest = std::numeric_limits<std::uintptr_t>::max();
  std::uintptr_t highest = 0;
  const auto coroutine = [](AsyncSessionStore& store, SessionKey key, std::uintptr_t& low,
                            std::uintptr_t& high) -> Coroutine {
    for (int call = 0; call < times; ++call) {
      static_cast<void>(co_await store.get(key));
      const auto frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
      low = std::min(low, frame);
      high = std::max(high, frame);
    }
  }(*this->store, this->refused_key(), lowest, highest);
  this->drive_until([&] { return coroutine.done(); });
  EXPECT_LT(highest - lowest, 16'384U);
}

TYPED_TEST_P(AsyncStoreConformance, AFutureHasTheOutcome) {
  const auto session = this->stored(this->make_session());
  auto found = this->store->get(session.key()).future();
  const BackgroundDriver driver(*this->store);
  EXPECT_EQ(found.get().value(), session);
}

TYPED_TEST_P(AsyncStoreConformance, WaitGivesTheOutcomeIfAnotherThreadDrives) {
  const auto session = this->stored(this->make_session());
  const BackgroundDriver driver(*this->store);
  EXPECT_EQ(this->store->get(session.key()).wait().value(), session);
  EXPECT_EQ(this->store->upsert(this->make_session()).wait().error().current, session);
}

TYPED_TEST_P(AsyncStoreConformance, WaitIsRefusedInTheThreadThatDrives) {
  this->store->run_ready();
  const auto session = this->make_session();
  const auto refused = this->store->upsert(session).wait();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(this->outcome_of(this->store->get(session.key())).value(), std::nullopt) << "the call has begun";
}

TYPED_TEST_P(AsyncStoreConformance, WaitEndsThoughNobodyDrives) {
  const auto found = this->store->get(this->make_session().key(), {.timeout = std::chrono::milliseconds(1)}).wait();
  if (!found) {
    EXPECT_EQ(found.error().code, ErrorCode::timeout) << found.error().message;
  }
}

TYPED_TEST_P(AsyncStoreConformance, ANegativeTimeLimitIsRefusedAtOnce) {
  const auto session = this->make_session();
  for (const auto timeout : {std::chrono::milliseconds(-1), std::chrono::milliseconds::min()}) {
    const auto stored = this->outcome_of(this->store->upsert(session, {.timeout = timeout}));
    ASSERT_FALSE(stored.has_value());
    EXPECT_EQ(stored.error().code, ErrorCode::invalid_argument) << stored.error().message;
    EXPECT_NE(stored.error().message.find("CallOptions::timeout"), std::string::npos) << stored.error().message;
    std::optional<typename TestFixture::Found> found;
    const auto coroutine = this->await_get(*this->store, session.key(), {.timeout = timeout}, found);
    ASSERT_TRUE(coroutine.done()) << "the coroutine was suspended";
    ASSERT_FALSE(found->has_value());
    EXPECT_EQ(found->error().code, ErrorCode::invalid_argument) << found->error().message;
  }
  EXPECT_EQ(this->outcome_of(this->store->get(session.key())).value(), std::nullopt) << "a refused call was made";
}

TYPED_TEST_P(AsyncStoreConformance, ACallThatIsStoppedBeforeItBeginsIsCancelled) {
  const std::stop_source stop;
  stop.request_stop();
  const auto session = this->make_session();
  const auto stored = this->outcome_of(this->store->upsert(session, {.stop = stop.get_token()}));
  ASSERT_FALSE(stored.has_value());
  EXPECT_EQ(stored.error().code, ErrorCode::cancelled);
  EXPECT_EQ(this->outcome_of(this->store->get(session.key())).value(), std::nullopt);
}

TYPED_TEST_P(AsyncStoreConformance, ACallThatIsStoppedEndsOnceAsCancelledOrDone) {
  constexpr int calls = 100;
  std::vector<std::stop_source> stops(calls);
  std::vector<int> told(calls);
  for (std::size_t call = 0; call < calls; ++call) {
    this->store->get(this->make_session().key(), {.stop = stops[call].get_token()})
        .start([&told, call](const typename TestFixture::Found& found) {
          ++told[call];
          if (!found) {
            EXPECT_EQ(found.error().code, ErrorCode::cancelled) << found.error().message;
          }
        });
    if (call % 3 == 0) stops[call].request_stop();
  }
  this->drive_once();
  for (std::size_t call = 1; call < calls; call += 3) stops[call].request_stop();
  this->drive_until([&] { return std::ranges::count(told, 0) == 0; });
  for (auto& stop : stops) stop.request_stop();
  EXPECT_TRUE(this->outcome_of(this->store->get(this->make_session().key())).has_value());
  EXPECT_EQ(std::ranges::count(told, 1), calls);
}

TYPED_TEST_P(AsyncStoreConformance, ACallIsStoppedFromAnotherThread) {
  const BackgroundDriver driver(*this->store);
  for (int round = 0; round < 100; ++round) {
    const std::stop_source stop;
    auto found = this->store->get(this->make_session().key(), {.stop = stop.get_token()}).future();
    stop.request_stop();
    const auto outcome = found.get();
    if (!outcome) {
      EXPECT_EQ(outcome.error().code, ErrorCode::cancelled) << outcome.error().message;
    }
  }
}

TYPED_TEST_P(AsyncStoreConformance, ACallIsCancelledByWhoeverBeganIt) {
  using Call = PendingCall<typename TestFixture::Found>;
  struct Keeping final : Receiver<typename TestFixture::Found> {
    void receive(std::unique_ptr<Call> told) override { ended = std::move(told); }
    void drop() noexcept override {}
    std::unique_ptr<Call> ended;
  };
  for (const bool has_run : {false, true}) {
    Keeping receiver;
    auto call = this->store->get(this->make_session().key()).release();
    if (call->begin(receiver)) continue;
    auto* const begun = call.release();
    if (has_run) this->drive_once();
    if (!receiver.ended) begun->cancel();
    this->drive_until([&] { return receiver.ended != nullptr; });
    // Also one that has ended.
    receiver.ended->cancel();
    const auto& outcome = receiver.ended->outcome;
    if (!outcome) {
      EXPECT_EQ(outcome.error().code, ErrorCode::cancelled) << outcome.error().message;
    }
  }
  EXPECT_TRUE(this->outcome_of(this->store->get(this->make_session().key())).has_value());
}

TYPED_TEST_P(AsyncStoreConformance, WhatIsPostedRunsWhereHandlersDo) {
  struct Posted final : Completion {
    void complete() override { ++completed; }
    void drop() noexcept override { ++dropped; }
    int completed = 0;
    int dropped = 0;
  };
  QueueingExecutor executor;
  Posted here;
  Posted there;
  this->store->post(here, nullptr);
  this->store->post(there, &executor);
  EXPECT_EQ(here.completed + there.completed, 0);
  this->drive_until([&] { return here.completed > 0; });
  EXPECT_EQ(there.completed, 0);
  executor.take().run();
  EXPECT_EQ(here.completed, 1);
  EXPECT_EQ(there.completed, 1);
  Posted late;
  this->store->post(late, nullptr);
  this->store.reset();
  EXPECT_EQ(late.completed, 1);
  EXPECT_EQ(here.dropped + there.dropped + late.dropped, 0);
}

TYPED_TEST_P(AsyncStoreConformance, AnExceptionOfAHandlerLeavesRunReadyAndTheOthersAreTold) {
  int told = 0;
  for (int call = 0; call < 3; ++call) {
    this->store->get(this->make_session().key()).start([&](const typename TestFixture::Found&) {
      if (++told == 1) throw std::runtime_error("a handler's own");
    });
  }
  EXPECT_THROW(this->drive_until([&] { return told == 3; }), std::runtime_error);
  EXPECT_EQ(told, 1);
  this->drive_until([&] { return told == 3; });
}

TYPED_TEST_P(AsyncStoreConformance, TheDescriptorStaysTheSameAndIsQuietIfNothingIsDue) {
  const int descriptor = this->store->descriptor();
  this->stored(this->make_session());
  EXPECT_EQ(this->store->descriptor(), descriptor);
  int rounds = 0;
  for (; this->is_readable() && rounds < 1000; ++rounds) this->store->run_ready();
  EXPECT_LT(rounds, 1000) << "the descriptor stays readable though nothing is due";
}

TYPED_TEST_P(AsyncStoreConformance, RunReadyWithoutWorkDoesNothing) {
  this->store->run_ready();
  this->store->run_ready();
  EXPECT_TRUE(this->outcome_of(this->store->get(this->make_session().key())).has_value());
}

TYPED_TEST_P(AsyncStoreConformance, TheDestructorTellsEveryCall) {
  QueueingExecutor executor;
  int told = 0;
  this->begin_each({}, [&] { ++told; });
  this->begin_each({.executor = &executor}, [&] { ++told; });
  this->store.reset();
  EXPECT_EQ(told, this->functions);
  executor.take().run();
  EXPECT_EQ(told, 2 * this->functions);
}

TYPED_TEST_P(AsyncStoreConformance, TheDestructorTellsWhatItsHandlersBegin) {
  int told = 0;
  this->begin_chain(*this->store, this->make_session().key(), 3, [&] { ++told; });
  this->store.reset();
  EXPECT_EQ(told, 3);
}

REGISTER_TYPED_TEST_SUITE_P(AsyncStoreConformance, ACallThatIsNotBegunDoesNothing,
                            AHandlerIsCalledOnceAndNeverInsideStart, ACallOfEachFunctionEnds, ACallNeedsNoHandler,
                            UpsertGivesTheSessionAsItIsStored, RotateIdGivesTheSessionWithItsNewId,
                            DeleteAllOfSeveralTypesDeletesThoseTypesOnly, HandlersRunOnTheExecutorOfTheirCall,
                            HandlersWithoutAnExecutorRunInTheThreadThatDrives, CallsOfManyThreadsAreToldOnceEach,
                            AnObserverIsToldOfACallBeforeItsHandler, ACoroutineGoesOnWithTheOutcome,
                            ACoroutineGoesOnOnTheExecutorOfItsCall, ACoroutineThatIsDestroyedIsNotResumed,
                            ACoroutineMayBeDestroyedBetweenPostAndRun, AHandlerMayDestroyACoroutine,
                            ChainsOfHandlersDoNotGrowTheStack, ARoundEndsThoughItsHandlersBeginCalls,
                            ALoopOfOutcomesDoesNotGrowACoroutinesStack, AFutureHasTheOutcome,
                            WaitGivesTheOutcomeIfAnotherThreadDrives, WaitIsRefusedInTheThreadThatDrives,
                            WaitEndsThoughNobodyDrives, ANegativeTimeLimitIsRefusedAtOnce,
                            ACallThatIsStoppedBeforeItBeginsIsCancelled, ACallThatIsStoppedEndsOnceAsCancelledOrDone,
                            ACallIsStoppedFromAnotherThread, ACallIsCancelledByWhoeverBeganIt,
                            WhatIsPostedRunsWhereHandlersDo, AnExceptionOfAHandlerLeavesRunReadyAndTheOthersAreTold,
                            TheDescriptorStaysTheSameAndIsQuietIfNothingIsDue, RunReadyWithoutWorkDoesNothing,
                            TheDestructorTellsEveryCall, TheDestructorTellsWhatItsHandlersBegin);

}  // namespace obol::testing
