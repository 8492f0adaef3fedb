// AsyncCall: its four ways to begin a call, over calls and executors that the test directs.
#include "obol/async_call.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "obol/testing/coroutine.hpp"
#include "obol/testing/queueing_executor.hpp"

namespace obol::testing { namespace {

using Outcome = Result<int>;

/// What the test decides of a call, and what it sees of it.
struct Script {
  bool is_known_at_once = false;
  bool has_no_memory = false;
  Result<std::chrono::milliseconds> longest_wait = std::chrono::minutes(1);
  std::function<void()> on_begin;  ///< Inside begin(), of a call that is not known at once.

  QueueingExecutor executor;
  int begun = 0;
  int abandoned = 0;
  int alive = 0;
};

class ScriptedCall final : public PendingCall<Outcome>, public Completion {
 public:
  explicit ScriptedCall(Script& script) : script_(script) { ++script_.alive; }
  ~ScriptedCall() override { --script_.alive; }

  bool begin(Receiver<Outcome>& receiver) override {
    if (script_.has_no_memory) throw std::bad_alloc();
    ++script_.begun;
    receiver_ = &receiver;
    outcome = 42;
    if (script_.is_known_at_once) return true;
    const Script& script = script_;
    defer();
    if (script.on_begin) script.on_begin();
    return false;
  }
  void defer() noexcept override {
    Completions ended;
    ended.push_back(*this);
    script_.executor.post(std::move(ended));
  }
  void abandon() noexcept override {
    ++script_.abandoned;
    receiver_ = nullptr;
  }
  void cancel() noexcept override {}
  std::optional<std::chrono::milliseconds> time_limit() const override { return std::nullopt; }
  Result<std::chrono::milliseconds> longest_wait() const override { return script_.longest_wait; }

 private:
  void complete() override {
    std::unique_ptr<PendingCall<Outcome>> self(this);
    if (receiver_ != nullptr) receiver_->receive(std::move(self));
  }
  void drop() noexcept override {
    const std::unique_ptr<ScriptedCall> self(this);
    if (receiver_ != nullptr) receiver_->drop();
  }

  Script& script_;
  Receiver<Outcome>* receiver_ = nullptr;
};

AsyncCall<Outcome> call_of(Script& script) { return AsyncCall<Outcome>(std::make_unique<ScriptedCall>(script)); }

class AsyncCallTest : public ::testing::Test {
 protected:
  ~AsyncCallTest() override { EXPECT_EQ(script.alive, 0) << "calls were leaked"; }

  AsyncCall<Outcome> call() { return call_of(script); }
  Handler<Outcome> keep() {
    return [this](Outcome outcome) { outcomes.push_back(outcome.value()); };
  }
  void run() { script.executor.take().run(); }
  void drop() { static_cast<void>(script.executor.take()); }

  static Coroutine await_one(AsyncCall<Outcome> call, std::vector<int>& outcomes) {
    outcomes.push_back((co_await std::move(call)).value());
  }

  Script script;
  std::vector<int> outcomes;
};

TEST_F(AsyncCallTest, ACallThatIsNeverBegunDoesNothing) {
  {
    auto never_begun = call();
  }
  EXPECT_EQ(script.begun, 0);
}

TEST_F(AsyncCallTest, AHandlerIsCalledOnceWhenTheCallHasEnded) {
  call().start(keep());
  EXPECT_TRUE(outcomes.empty());
  run();
  EXPECT_EQ(outcomes, std::vector{42});
}

TEST_F(AsyncCallTest, AHandlerIsNotCalledInsideStartIfTheOutcomeIsKnownAtOnce) {
  script.is_known_at_once = true;
  call().start(keep());
  EXPECT_TRUE(outcomes.empty());
  run();
  EXPECT_EQ(outcomes, std::vector{42});
}

TEST_F(AsyncCallTest, AHandlerMayBeEmpty) {
  call().start({});
  run();
  EXPECT_EQ(script.begun, 1);
}

TEST_F(AsyncCallTest, ACallIsGoneBeforeItsHandlerRuns) {
  int alive = -1;
  call().start([&](Outcome) { alive = script.alive; });
  run();
  EXPECT_EQ(alive, 0);
}

TEST_F(AsyncCallTest, ACallForWhichThereIsNoMemoryHasNotBegunAndItsHandlerIsDestroyed) {
  script.has_no_memory = true;
  const auto held = std::make_shared<int>();
  EXPECT_THROW(call().start([held](Outcome) {}), std::bad_alloc);
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_THROW(static_cast<void>(call().future()), std::bad_alloc);
  EXPECT_THROW(static_cast<void>(call().wait()), std::bad_alloc);
  EXPECT_EQ(script.alive, 0);
}

TEST_F(AsyncCallTest, ACoroutineIsToldThatThereIsNoMemoryForItsCall) {
  script.has_no_memory = true;
  bool told = false;
  const auto coroutine = [](AsyncCall<Outcome> call, bool& seen) -> Coroutine {
    try {
      static_cast<void>(co_await std::move(call));
    } catch (const std::bad_alloc&) {
      seen = true;
    }
  }(call(), told);
  EXPECT_TRUE(told);
  EXPECT_TRUE(coroutine.done());
  EXPECT_EQ(script.abandoned, 0) << "a call that never began was abandoned";
}

TEST_F(AsyncCallTest, ACoroutineGoesOnWhenTheCallHasEnded) {
  const auto coroutine = await_one(call(), outcomes);
  EXPECT_FALSE(coroutine.done());
  run();
  EXPECT_TRUE(coroutine.done());
  EXPECT_EQ(outcomes, std::vector{42});
  EXPECT_EQ(script.abandoned, 0);
}

TEST_F(AsyncCallTest, ACoroutineDoesNotSuspendIfTheOutcomeIsKnownAtOnce) {
  script.is_known_at_once = true;
  const auto coroutine = await_one(call(), outcomes);
  EXPECT_TRUE(coroutine.done());
  EXPECT_EQ(outcomes, std::vector{42});
  EXPECT_TRUE(script.executor.take().empty());
}

TEST_F(AsyncCallTest, OutcomesThatAreKnownAtOnceDoNotGrowACoroutinesStack) {
  script.is_known_at_once = true;
  int sum = 0;
  const auto coroutine = [](Script& directions, int& total) -> Coroutine {
    for (int round = 0; round < 200'000; ++round) total += (co_await call_of(directions)).value() - 41;
  }(script, sum);
  EXPECT_TRUE(coroutine.done());
  EXPECT_EQ(sum, 200'000);
}

TEST_F(AsyncCallTest, ACoroutineMayBeDestroyedBetweenPostAndRun) {
  {
    const auto coroutine = await_one(call(), outcomes);
  }
  EXPECT_EQ(script.abandoned, 1);
  EXPECT_EQ(script.alive, 1) << "the executor still has it";
  run();
  EXPECT_TRUE(outcomes.empty());
}

TEST_F(AsyncCallTest, ACoroutineMayBeDestroyedByAHandlerOfTheSameRound) {
  std::optional<Coroutine> coroutine;
  call().start([&](Outcome) { coroutine.reset(); });
  coroutine.emplace(await_one(call(), outcomes));
  run();
  EXPECT_TRUE(outcomes.empty());
}

TEST_F(AsyncCallTest, AnExecutorThatDropsACallDestroysItsHandler) {
  const auto held = std::make_shared<int>();
  call().start([held, done = keep()](Outcome outcome) mutable { done(std::move(outcome)); });
  drop();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_TRUE(outcomes.empty());
}

TEST_F(AsyncCallTest, AnExecutorThatDropsACallLeavesItsCoroutineSuspended) {
  {
    const auto coroutine = await_one(call(), outcomes);
    drop();
    EXPECT_EQ(script.alive, 0);
    EXPECT_FALSE(coroutine.done());
  }
  EXPECT_EQ(script.abandoned, 0) << "a call that is gone was abandoned";
}

TEST_F(AsyncCallTest, ADroppedCallBreaksThePromiseOfItsFuture) {
  auto outcome = call().future();
  drop();
  EXPECT_THROW(static_cast<void>(outcome.get()), std::future_error);
}

TEST_F(AsyncCallTest, AFutureHasTheOutcome) {
  auto outcome = call().future();
  EXPECT_EQ(outcome.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  run();
  EXPECT_EQ(outcome.get(), 42);
}

TEST_F(AsyncCallTest, WaitIsRefusedInTheThreadThatDrives) {
  script.longest_wait = std::unexpected(Error{ErrorCode::invalid_argument, "it would wait for itself"});
  const auto outcome = call().wait();
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(outcome.error().message, "it would wait for itself");
  EXPECT_EQ(script.begun, 0);
}

TEST_F(AsyncCallTest, WaitEndsIfNobodyDrives) {
  script.longest_wait = std::chrono::milliseconds(1);
  EXPECT_EQ(call().wait().error().code, ErrorCode::timeout);
  EXPECT_EQ(script.begun, 1);
  run();
}

TEST_F(AsyncCallTest, WaitNeedsNobodyIfTheOutcomeIsKnownAtOnce) {
  script.is_known_at_once = true;
  EXPECT_EQ(call().wait(), 42);
  EXPECT_TRUE(script.executor.take().empty());
}

TEST_F(AsyncCallTest, WaitIsToldThatTheExecutorHasDroppedItsCall) {
  script.on_begin = [this] { drop(); };
  EXPECT_EQ(call().wait().error().code, ErrorCode::closed);
}

TEST_F(AsyncCallTest, WaitSleepsUntilAnotherThreadHasTheOutcome) {
  std::jthread driver;
  script.on_begin = [&] { driver = std::jthread([this] { run(); }); };
  EXPECT_EQ(call().wait(), 42);
}

/// Lets another thread tell the caller while begin() still runs, and waits for that.
class CallThatEndsDuringBegin : public AsyncCallTest {
 protected:
  CallThatEndsDuringBegin() {
    script.on_begin = [this] { std::jthread([this] { run(); }).join(); };
  }
};

TEST_F(CallThatEndsDuringBegin, CallsItsHandler) {
  call().start(keep());
  EXPECT_EQ(outcomes, std::vector{42});
}

TEST_F(CallThatEndsDuringBegin, ResumesItsCoroutine) {
  const auto coroutine = await_one(call(), outcomes);
  EXPECT_TRUE(coroutine.done());
  EXPECT_EQ(outcomes, std::vector{42});
}

TEST_F(CallThatEndsDuringBegin, MayDestroyItsCoroutine) {
  struct Detached {
    struct Promise {
      Detached get_return_object() { return {}; }
      std::suspend_never initial_suspend() noexcept { return {}; }
      std::suspend_never final_suspend() noexcept { return {}; }
      void return_void() {}
      void unhandled_exception() { std::terminate(); }
    };
    using promise_type = Promise;
  };
  [](AsyncCall<Outcome> ending, std::vector<int>& kept) -> Detached {
    kept.push_back((co_await std::move(ending)).value());
  }(call(), outcomes);
  EXPECT_EQ(outcomes, std::vector{42});
}

using CompletionsTest = AsyncCallTest;

TEST_F(CompletionsTest, RunInTheOrderInWhichCallsEnded) {
  std::string order;
  Completions all;
  for (const char name : {'a', 'b', 'c', 'd'}) {
    if (name == 'c') all.append(script.executor.take());
    call().start([&order, name](Outcome) { order += name; });
  }
  all.append(script.executor.take());
  all.append({});
  all.run();
  EXPECT_EQ(order, "abcd");
  EXPECT_TRUE(all.empty());
}

TEST_F(CompletionsTest, RunSomeLeavesTheOthersInTheirOrder) {
  std::string order;
  for (const char name : {'a', 'b', 'c', 'd', 'e'}) {
    call().start([&order, name](Outcome) { order += name; });
  }
  auto all = script.executor.take();
  all.run_some(0);
  EXPECT_EQ(order, "");
  all.run_some(2);
  EXPECT_EQ(order, "ab");
  all.run_some(2);
  EXPECT_EQ(order, "abcd");
  all.run_some(10);
  EXPECT_EQ(order, "abcde");
  EXPECT_TRUE(all.empty());
}

TEST_F(CompletionsTest, AnExceptionLeavesRunAndTheCallsBehindItStay) {
  call().start([](Outcome) { throw std::runtime_error("a handler's own"); });
  call().start(keep());
  auto ready = script.executor.take();
  EXPECT_THROW(ready.run(), std::runtime_error);
  EXPECT_TRUE(outcomes.empty());
  EXPECT_FALSE(ready.empty());
  ready.run();
  EXPECT_EQ(outcomes.size(), 1U);
}

TEST_F(CompletionsTest, AnExceptionOfACoroutineLeavesRun) {
  const auto coroutine = [](AsyncCall<Outcome> call) -> Coroutine {
    static_cast<void>(co_await std::move(call));
    throw std::runtime_error("the coroutine's own");
  }(call());
  call().start(keep());
  auto ready = script.executor.take();
  EXPECT_THROW(ready.run(), std::runtime_error);
  EXPECT_TRUE(coroutine.done());
  ready.run();
  EXPECT_EQ(outcomes.size(), 1U);
}

TEST_F(CompletionsTest, GoThroughAQueueOfPointers) {
  EXPECT_EQ(Completions().release(), nullptr);
  EXPECT_TRUE(Completions::adopt(nullptr).empty());
  call().start(keep());
  call().start(keep());
  auto ready = script.executor.take();
  void* const released = ready.release();
  EXPECT_TRUE(ready.empty());
  Completions::adopt(released).run();
  EXPECT_EQ(outcomes.size(), 2U);
}

TEST_F(CompletionsTest, AssignmentDropsWhatWasThere) {
  const auto held = std::make_shared<int>();
  call().start([held](Outcome) {});
  auto ready = script.executor.take();
  call().start(keep());
  ready = script.executor.take();
  EXPECT_EQ(held.use_count(), 1);
  ready.run();
  EXPECT_EQ(outcomes.size(), 1U);
}

}}  // namespace obol::testing
