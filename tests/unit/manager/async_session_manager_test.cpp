// AsyncSessionManager over a store whose calls end when the test says so: where and when outcomes are told, what is
// cancelled, and what ends in the middle.
#include "obol/async_session_manager.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "obol/async_over.hpp"
#include "obol/background_driver.hpp"
#include "obol/memory_store.hpp"
#include "obol/testing/coroutine.hpp"
#include "obol/testing/hand_clock.hpp"
#include "obol/testing/queueing_executor.hpp"
#include "support/child.hpp"
#include "support/scripted_store.hpp"
#include "support/sessions.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// How a call has ended: ErrorCode 0 if well.
using Ended = std::function<void(std::error_code)>;

class AsyncSessionManagerTest : public ::testing::Test {
 protected:
  SessionManagerOptions options() const { return {.keyring = Keyring(signing_key()), .clock = hand.clock()}; }

  LoggedIn log_in() const {
    return SessionManager::create(memory, options())->log_in("user", "payload", hand.now()).value();
  }
  /// A session whose tokens belong to a generation that is over.
  LoggedIn settled() const {
    auto login = log_in();
    hand.pass(minutes(2));
    return login;
  }
  /// A token that was replaced long ago.
  std::string reused_token() const {
    const auto login = settled();
    const auto next = SessionManager::create(memory, options())->refresh(login.tokens.refresh).value();
    hand.pass(minutes(2));
    return login.tokens.refresh;
  }

  template <class T>
  static void start(AsyncCall<T> call, const Ended& ended) {
    std::move(call).start(
        [ended](const T& outcome) { ended(outcome ? std::error_code() : std::error_code(outcome.error().code)); });
  }

  struct Flow {
    std::string name;
    int calls;  ///< Of the store.
    std::function<void(const CallOptions&, const Ended&)> begin;
  };
  /// Each takes so many calls of the store.
  std::vector<Flow> flows() {
    return {{"log_in", 1,
             [this](const auto& with, const auto& ended) {
               start(manager->log_in("user", "payload", hand.now(), with), ended);
             }},
            {"authenticate", 1,
             [this](const auto& with, const auto& ended) {
               start(manager->authenticate(log_in().tokens.access, with), ended);
             }},
            {"refresh", 2,
             [this](const auto& with, const auto& ended) {
               start(manager->refresh(settled().tokens.refresh, with), ended);
             }},
            {"reuse", 2,
             [this](const auto& with, const auto& ended) { start(manager->refresh(reused_token(), with), ended); }},
            {"secure", 2,
             [this](const auto& with, const auto& ended) { start(manager->secure(settled().session, with), ended); }},
            {"touch", 1,
             [this](const auto& with, const auto& ended) { start(manager->touch(settled().session, with), ended); }},
            {"list", 1, [this](const auto& with, const auto& ended) { start(manager->list("user", with), ended); }},
            {"log_out", 1,
             [this](const auto& with, const auto& ended) {
               start(manager->log_out(settled().session.key(), with), ended);
             }},
            {"log_out_others", 1,
             [this](const auto& with, const auto& ended) {
               start(manager->log_out_others(settled().session.key(), with), ended);
             }},
            {"log_out_everywhere", 1,
             [this](const auto& with, const auto& ended) { start(manager->log_out_everywhere("user", with), ended); }}};
  }

  /// The store's calls under way end, and their receivers are told.
  void end_calls() {
    store->end_all();
    store->run_ready();
  }

  /// Begins calls whose outcome needs no call of the store.
  void begin_each_without_store(const CallOptions& with, const Ended& ended) {
    const auto login = log_in();
    start(manager->authenticate(login.tokens.access, AccessCheck::token, with), ended);
    start(manager->authenticate("no token", with), ended);
    start(manager->refresh(login.tokens.access, with), ended);
    start(manager->touch(login.session, with), ended);
  }
  static constexpr int without_store = 4;

  static Coroutine await_refresh(AsyncSessionManager& manager, std::string token, CallOptions with, bool& was_told) {
    static_cast<void>(co_await manager.refresh(std::move(token), std::move(with)));
    was_told = true;
  }

  const HandClock hand;
  const std::shared_ptr<MemoryStore> memory = std::make_shared<MemoryStore>(MemoryStoreOptions{.clock = hand.clock()});
  std::shared_ptr<ScriptedStore> store = std::make_shared<ScriptedStore>(memory);
  QueueingExecutor executor;
  std::optional<AsyncSessionManager> manager = AsyncSessionManager::create(store, options()).value();
};

TEST_F(AsyncSessionManagerTest, TellsWhatNeedsNoStoreWhereItsCallsAreTold) {
  int told = 0;
  const auto count = [&](std::error_code error) { told += error ? 100 : 1; };
  begin_each_without_store({}, count);
  begin_each_without_store({.executor = &executor}, count);
  EXPECT_EQ(told, 0) << "inside start()";
  EXPECT_EQ(store->in_flight(), 0U);
  store->run_ready();
  EXPECT_EQ(told, without_store) << "those without an executor";
  executor.take().run();
  EXPECT_EQ(told, 2 * without_store);
}

TEST_F(AsyncSessionManagerTest, SuspendsNoCoroutineForWhatNeedsNoStore) {
  bool was_told = false;
  EXPECT_TRUE(await_refresh(*manager, "no token", {}, was_told).done());
  EXPECT_TRUE(was_told);
}

// `{}` could be meant as CallOptions, and is an AccessCheck.
TEST_F(AsyncSessionManagerTest, AnArgumentLeftEmptySkipsNoCheck) {
  std::error_code outcome = ErrorCode::internal;
  start(manager->authenticate(log_in().tokens.access, {}), [&](std::error_code error) { outcome = error; });
  EXPECT_EQ(store->in_flight(), 1U) << "the store was not asked";
  end_calls();
  EXPECT_FALSE(outcome);
}

TEST_F(AsyncSessionManagerTest, MakesOneCallOfTheStoreAfterTheOther) {
  for (auto& flow : flows()) {
    int told = 0;
    flow.begin({}, [&](std::error_code error) {
      EXPECT_FALSE(error) << flow.name << ": " << error.message();
      ++told;
    });
    for (int call = 0; call < flow.calls; ++call) {
      EXPECT_EQ(told, 0) << flow.name;
      EXPECT_EQ(store->in_flight(), 1U) << flow.name;
      end_calls();
    }
    EXPECT_EQ(told, 1) << flow.name;
    EXPECT_EQ(store->in_flight(), 0U) << flow.name;
  }
}

TEST_F(AsyncSessionManagerTest, TakesEachStepOnItsExecutor) {
  for (auto& flow : flows()) {
    int told = 0;
    flow.begin({.executor = &executor}, [&](std::error_code) { ++told; });
    for (int call = 0; call < flow.calls; ++call) {
      end_calls();
      EXPECT_EQ(store->in_flight(), 0U) << flow.name << " went on outside its executor";
      EXPECT_EQ(told, 0) << flow.name;
      executor.take().run();
    }
    EXPECT_EQ(told, 1) << flow.name;
  }
}

TEST_F(AsyncSessionManagerTest, ACallThatIsStoppedCancelsThatOfTheStoreAndBeginsNone) {
  for (int stopped_call = 0; stopped_call < 2; ++stopped_call) {
    for (auto& flow : flows()) {
      if (stopped_call >= flow.calls) continue;
      const std::stop_source stop;
      std::vector<std::error_code> outcomes;
      flow.begin({.stop = stop.get_token()}, [&](std::error_code error) { outcomes.push_back(error); });
      for (int call = 0; call < stopped_call; ++call) end_calls();
      stop.request_stop();
      EXPECT_EQ(store->in_flight(), 0U) << flow.name;
      store->run_ready();
      EXPECT_EQ(outcomes, std::vector{make_error_code(ErrorCode::cancelled)}) << flow.name;
      EXPECT_EQ(store->in_flight(), 0U) << flow.name;
    }
  }
}

TEST_F(AsyncSessionManagerTest, ACallThatIsStoppedBetweenTwoOfTheStoreBeginsNone) {
  for (auto& flow : flows()) {
    if (flow.calls < 2) continue;
    const std::stop_source stop;
    std::vector<std::error_code> outcomes;
    flow.begin({.executor = &executor, .stop = stop.get_token()},
               [&](std::error_code error) { outcomes.push_back(error); });
    end_calls();
    stop.request_stop();
    executor.take().run();
    EXPECT_EQ(outcomes, std::vector{make_error_code(ErrorCode::cancelled)}) << flow.name;
    EXPECT_EQ(store->in_flight(), 0U) << flow.name;
  }
}

TEST_F(AsyncSessionManagerTest, ACallThatIsStoppedBeforeItBeginsIsCancelled) {
  const std::stop_source stop;
  stop.request_stop();
  int cancelled = 0;
  begin_each_without_store({.stop = stop.get_token()},
                           [&](std::error_code error) { cancelled += error == ErrorCode::cancelled ? 1 : 0; });
  store->run_ready();
  EXPECT_EQ(cancelled, without_store);
}

TEST_F(AsyncSessionManagerTest, ACoroutineThatIsDestroyedCancelsTheCallOfTheStore) {
  const auto login = settled();
  for (int call = 0; call < 2; ++call) {
    bool was_told = false;
    {
      const auto coroutine = await_refresh(*manager, login.tokens.refresh, {}, was_told);
      for (int ended = 0; ended < call; ++ended) end_calls();
      ASSERT_EQ(store->in_flight(), 1U);
    }
    EXPECT_EQ(store->in_flight(), 0U);
    store->run_ready();
    EXPECT_EQ(store->in_flight(), 0U);
    EXPECT_FALSE(was_told);
  }
  EXPECT_EQ(memory->get(login.session.key()).value(), login.session);
}

TEST_F(AsyncSessionManagerTest, ACoroutineMayBeDestroyedWhileAReplyWaitsForItsExecutor) {
  const auto login = settled();
  for (int call = 0; call < 2; ++call) {
    bool was_told = false;
    Completions waiting;
    {
      const auto coroutine = await_refresh(*manager, login.tokens.refresh, {.executor = &executor}, was_told);
      for (int ended = 0; ended <= call; ++ended) {
        waiting.run();
        end_calls();
        waiting = executor.take();
      }
    }
    waiting.run();
    EXPECT_EQ(store->in_flight(), 0U);
    EXPECT_FALSE(was_told);
  }
}

TEST_F(AsyncSessionManagerTest, WhatNeedsTheStoreAfterTheManagerHasGoneIsClosed) {
  for (auto& flow : flows()) {
    std::vector<std::error_code> outcomes;
    flow.begin({}, [&](std::error_code error) { outcomes.push_back(error); });
    manager.reset();
    end_calls();
    EXPECT_EQ(outcomes, std::vector{flow.calls > 1 ? make_error_code(ErrorCode::closed) : std::error_code()})
        << flow.name;
    EXPECT_EQ(store->in_flight(), 0U) << flow.name;
    manager = AsyncSessionManager::create(store, options()).value();
  }
}

TEST_F(AsyncSessionManagerTest, EndsAllWithItsStore) {
  for (const bool has_executor : {false, true}) {
    for (auto& flow : flows()) {
      std::vector<std::error_code> outcomes;
      flow.begin({.executor = has_executor ? &executor : nullptr},
                 [&](std::error_code error) { outcomes.push_back(error); });
      store.reset();
      manager.reset();
      executor.take().run();
      EXPECT_EQ(outcomes, std::vector{make_error_code(ErrorCode::closed)}) << flow.name;
      store = std::make_shared<ScriptedStore>(memory);
      manager = AsyncSessionManager::create(store, options()).value();
    }
  }
}

// The reply has come, but the store has gone before the executor runs.
TEST_F(AsyncSessionManagerTest, TouchesNoStoreThatHasGone) {
  for (auto& flow : flows()) {
    int told = 0;
    flow.begin({.executor = &executor}, [&](std::error_code) { ++told; });
    end_calls();
    store.reset();
    manager.reset();
    executor.take().run();
    EXPECT_EQ(told, 1) << flow.name;
    store = std::make_shared<ScriptedStore>(memory);
    manager = AsyncSessionManager::create(store, options()).value();
  }
}

TEST_F(AsyncSessionManagerTest, ACallThatBeginsAfterTheManagerHasGoneIsClosed) {
  auto call = manager->refresh(settled().tokens.refresh);
  auto waited_for = manager->refresh(settled().tokens.refresh);
  auto on_executor = manager->authenticate("no token", {.executor = &executor});
  manager.reset();
  std::vector<std::error_code> outcomes;
  start(std::move(call), [&](std::error_code error) { outcomes.push_back(error); });
  EXPECT_EQ(outcomes.size(), 0U) << "nobody drives any more";
  start(std::move(on_executor), [&](std::error_code error) { outcomes.push_back(error); });
  executor.take().run();
  EXPECT_EQ(outcomes, std::vector{std::error_code()});
  EXPECT_EQ(std::move(waited_for).wait().error().code, ErrorCode::closed);
}

TEST_F(AsyncSessionManagerTest, AnExecutorMayDropACallInTheMiddle) {
  for (auto& flow : flows()) {
    for (int dropped = 0; dropped < flow.calls; ++dropped) {
      const auto alive = std::make_shared<int>();
      flow.begin({.executor = &executor}, [alive](std::error_code) { FAIL() << "told"; });
      for (int call = 0; call < dropped; ++call) {
        end_calls();
        executor.take().run();
      }
      end_calls();
      static_cast<void>(executor.take());
      EXPECT_EQ(alive.use_count(), 1) << flow.name;
      EXPECT_EQ(store->in_flight(), 0U) << flow.name;
    }
  }
}

TEST_F(AsyncSessionManagerTest, AllCallsOfTheStoreShareOneTimeLimit) {
  const auto login = settled();
  start(manager->refresh(login.tokens.refresh, {.timeout = minutes(1)}), [](std::error_code) {});
  EXPECT_EQ(store->last_options().timeout, minutes(1));
  const auto begun = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - begun < milliseconds(3)) {
  }
  end_calls();
  // The ScriptedStore has a limit of 9 s.
  EXPECT_LT(store->last_options().timeout, seconds(9));
  EXPECT_GT(store->last_options().timeout, milliseconds(0));
  end_calls();
}

TEST_F(AsyncSessionManagerTest, ASecondCallOfTheStoreForWhichNoTimeIsLeftIsNotMade) {
  store->limit_calls(milliseconds(1));
  std::error_code outcome;
  start(manager->refresh(settled().tokens.refresh), [&](std::error_code error) { outcome = error; });
  const auto begun = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - begun < milliseconds(2)) {
  }
  end_calls();
  end_calls();
  EXPECT_EQ(outcome, ErrorCode::unavailable);
  EXPECT_EQ(store->called().size(), 1U);
}

TEST_F(AsyncSessionManagerTest, ANegativeTimeLimitIsRefusedBeforeAnythingElse) {
  const CallOptions negative{.timeout = milliseconds(-1)};
  std::vector<std::error_code> outcomes;
  const auto note = [&](std::error_code error) { outcomes.push_back(error); };
  std::size_t begun = without_store;
  for (auto& flow : flows()) {
    // Logouts are calls of the store, which refuses by itself.
    if (flow.name.starts_with("log_out")) continue;
    flow.begin(negative, note);
    ++begun;
  }
  begin_each_without_store(negative, note);
  end_calls();
  end_calls();
  EXPECT_EQ(outcomes, std::vector(begun, std::error_code(ErrorCode::invalid_argument)));
  EXPECT_EQ(store->called(), std::vector<std::string>{});
}

TEST_F(AsyncSessionManagerTest, WaitIsRefusedToTheThreadThatDrivesAndEndsInAnother) {
  const auto over_memory = std::make_shared<AsyncOver<MemoryStore>>(memory);
  auto waiting = AsyncSessionManager::create(over_memory, options()).value();
  over_memory->run_ready();
  const auto login = log_in();
  EXPECT_EQ(waiting.authenticate(login.tokens.access).wait().error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(waiting.authenticate("no token").wait().error().code, ErrorCode::invalid_argument);
  const BackgroundDriver driver(*over_memory);
  EXPECT_TRUE(waiting.authenticate(login.tokens.access).wait().value());
  EXPECT_TRUE(waiting.authenticate(login.tokens.access, AccessCheck::token).wait().value());
  EXPECT_FALSE(waiting.refresh("no token").future().get().value());
}

TEST_F(AsyncSessionManagerTest, AForkedChildHasClosedCallsOnly) {
  const auto login = settled();
  const auto over_memory = std::make_shared<AsyncOver<MemoryStore>>(memory);
  auto forked = AsyncSessionManager::create(over_memory, options()).value();
  EXPECT_EQ(run_in_child([&] {
              int closed = 0;
              const auto count = [&](std::error_code error) { closed += error == ErrorCode::closed ? 1 : 0; };
              start(forked.refresh(login.tokens.refresh), count);
              start(forked.authenticate("no token"), count);
              start(forked.list("user"), count);
              start(forked.log_out(login.session.key()), count);
              over_memory->run_ready();
              return closed == 4;
            }),
            "");
  EXPECT_TRUE(memory->get(login.session.key()).value());
}

}}  // namespace obol::testing
