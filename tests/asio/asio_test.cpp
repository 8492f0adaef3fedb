// Asynchronous stores through Asio, with a store that ends its calls when the test says so.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "asio/asked.hpp"
#include "asio/library.hpp"
#include "obol/async_over.hpp"
#include "obol/handler_turn.hpp"
#include "obol/memory_store.hpp"
#include "support/scripted_store.hpp"

namespace obol::testing { namespace {

class AsioTest : public ::testing::Test {
 protected:
  /// The calls that are in flight end, and what follows from that in the store's context is done.
  void end_all() {
    store_.end_all();
    run_context();
  }
  void run_context() {
    store_.run_ready();
    context_.restart();
    context_.poll();
  }

  net::io_context context_;
  ScriptedStore store_;
  face::Store<> sessions_{store_, context_.get_executor()};
};

// --- tokens
// -----------------------------------------------------------------------------------------------------------

TEST_F(AsioTest, CallsAFunctionWithTheOutcome) {
  std::optional<Got> got;
  sessions_.get(key_of("a"), [&](Got outcome) { got = std::move(outcome); });
  EXPECT_FALSE(got);
  end_all();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->value()->id, "a");
}

TEST_F(AsioTest, GivesErrorsAsValues) {
  std::future<Got> got = sessions_.get(key_of("a"), net::use_future);
  store_.end_all(ErrorCode::unavailable);
  run_context();
  EXPECT_EQ(got.get().error().code, ErrorCode::unavailable);
}

net::awaitable<void> get_both(face::Store<>& sessions, std::vector<std::string>& ids) {
  const Got by_default = co_await sessions.get(key_of("a"));
  ids.push_back(by_default.value()->id);
  const Got awaited = co_await sessions.get(key_of("b"), {}, net::use_awaitable);
  ids.push_back(awaited.value()->id);
#ifdef OBOL_TEST_HAS_AS_TUPLE
  const auto [in_tuple] = co_await sessions.get(key_of("c"), net::as_tuple(net::use_awaitable));
  ids.push_back(in_tuple.value()->id);
#else
  ids.emplace_back("c");
#endif
}

TEST_F(AsioTest, IsAwaitedByCoroutines) {
  std::vector<std::string> ids;
  net::co_spawn(context_, get_both(sessions_, ids), net::detached);
  for (int round = 0; round < 4; ++round) end_all();
  EXPECT_EQ(ids, (std::vector<std::string>{"a", "b", "c"}));
}

#ifndef OBOL_TEST_BOOST
#define OBOL_TEST_HAS_DEFERRED (ASIO_VERSION >= 102300)
#else
#define OBOL_TEST_HAS_DEFERRED 1
#endif
#if OBOL_TEST_HAS_DEFERRED
TEST_F(AsioTest, ADeferredCallBeginsWhenItIsAsked) {
  auto deferred = sessions_.get(key_of("a"));
  EXPECT_EQ(store_.in_flight(), 0U);
  std::string id;
  std::move(deferred)([&](Got outcome) { id = outcome.value()->id; });
  EXPECT_EQ(store_.in_flight(), 1U);
  end_all();
  EXPECT_EQ(id, "a");
}
#endif

TEST_F(AsioTest, EachCallIsTheStoresCallOfItsName) {
  int ended = 0;
  const auto count = [&](const auto& outcome) { ended += outcome.has_value() ? 1 : 0; };
  Session session;
  session.id = "s";
  sessions_.get(key_of("a"), count);
  sessions_.get_many({key_of("a"), key_of("b")}, count);
  sessions_.upsert(session, count);
  sessions_.rotate_id(session, count);
  sessions_.delete_one(key_of("b"), count);
  sessions_.get_all("ann", "full", count);
  sessions_.delete_all("ann", "trial", count);
  sessions_.delete_all("ann", std::vector<std::string>{"trial", "full"}, count);
  sessions_.delete_others(key_of("c"), count);
  end_all();
  EXPECT_EQ(ended, 9);
  EXPECT_EQ(store_.called(), (std::vector<std::string>{"get a", "get_many", "upsert s", "rotate_id s", "delete_one b",
                                                       "get_all ann full", "delete_all ann trial",
                                                       "delete_all ann trial full", "delete_others c"}));
}

net::awaitable<void> log_in_and_out(face::SessionManager& manager, std::vector<std::string>& done) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const Result<LoggedIn> login = co_await manager.log_in("ann", "payload", now, net::use_awaitable);
  done.push_back(login.value().session.extra_payload);
  auto sender = co_await manager.authenticate(login->tokens.access, net::use_awaitable);
  done.emplace_back(sender.value()->session ? "with session" : "");
  sender = co_await manager.authenticate(login->tokens.access, AccessCheck::token, net::use_awaitable);
  done.emplace_back(sender.value()->session ? "" : "by token");
  auto refreshed = co_await manager.refresh(login->tokens.refresh, net::use_awaitable);
  done.emplace_back(refreshed.value() ? "refreshed" : "");
  const PayloadChange change = [](std::string& payload) { payload += '!'; };
  refreshed = co_await manager.refresh(login->tokens.refresh, change, {}, net::use_awaitable);
  done.push_back(refreshed.value()->session.extra_payload);
  refreshed = co_await manager.secure(refreshed.value()->session, net::use_awaitable);
  refreshed = co_await manager.secure(refreshed.value()->session, change, {}, net::use_awaitable);
  done.push_back(refreshed.value()->session.extra_payload);
  const auto session = refreshed.value()->session;
  done.emplace_back((co_await manager.touch(session, net::use_awaitable)).value() ? "touched" : "");
  done.push_back(std::to_string((co_await manager.list("ann", net::use_awaitable)).value().size()));
  auto ended = co_await manager.log_out(session.key(), net::use_awaitable);
  done.emplace_back(ended ? "out" : "");
  ended = co_await manager.log_out_others(session.key(), net::use_awaitable);
  done.emplace_back(ended ? "others out" : "");
  ended = co_await manager.log_out_everywhere("ann", net::use_awaitable);
  done.emplace_back(ended ? "all out" : "");
}

TEST(AsioManagerTest, EachCallIsTheManagersCallOfItsName) {
  net::io_context context;
  const auto store = std::make_shared<AsyncOver<MemoryStore>>();
  auto async_manager =
      AsyncSessionManager::create(store, {.keyring = Keyring(SigningKey::from_bytes(std::string(32, 'k')).value())})
          .value();
  face::SessionManager manager(async_manager, context.get_executor());
  std::vector<std::string> done;
  net::co_spawn(context, log_in_and_out(manager, done), net::detached);
  context.run();
  EXPECT_EQ(done, (std::vector<std::string>{"payload", "with session", "by token", "refreshed", "payload!", "payload!!",
                                            "touched", "1", "out", "others out", "all out"}));
}

TEST_F(AsioTest, CancellingAManagersCallCancelsThatOfTheStore) {
  // Shared with the manager, but owned by the test.
  const std::shared_ptr<AsyncSessionStore> shared(&store_, [](AsyncSessionStore*) {});
  auto async_manager =
      AsyncSessionManager::create(shared, {.keyring = Keyring(SigningKey::from_bytes(std::string(32, 'k')).value())})
          .value();
  face::SessionManager manager(async_manager, context_.get_executor());
  net::cancellation_signal signal;
  std::optional<Result<std::vector<Session>>> listed;
  manager.list("ann", net::bind_cancellation_slot(
                          signal.slot(), [&](Result<std::vector<Session>> outcome) { listed = std::move(outcome); }));
  EXPECT_EQ(store_.in_flight(), 1U);
  signal.emit(net::cancellation_type::total);
  EXPECT_EQ(store_.in_flight(), 0U);
  run_context();
  ASSERT_TRUE(listed);
  EXPECT_EQ(listed->error().code, ErrorCode::cancelled);
}

TEST_F(AsioTest, PassesTheTimeLimitOn) {
  sessions_.get(key_of("a"), {.timeout = std::chrono::milliseconds(7)}, [](const Got&) {});
  EXPECT_EQ(store_.last_options().timeout, std::chrono::milliseconds(7));
}

// --- executors
// --------------------------------------------------------------------------------------------------------

TEST_F(AsioTest, AHandlerRunsOnItsOwnExecutor) {
  net::io_context own;
  bool is_told = false;
  sessions_.get(key_of("a"), net::bind_executor(own.get_executor(), [&](const Got&) { is_told = true; }));
  end_all();
  EXPECT_FALSE(is_told);
  own.poll();
  EXPECT_TRUE(is_told);
}

TEST_F(AsioTest, BothContextsHaveWorkUntilACallHasEnded) {
  net::io_context own;
  sessions_.get(key_of("a"), net::bind_executor(own.get_executor(), [](const Got&) {}));
  context_.poll();
  own.poll();
  EXPECT_FALSE(context_.stopped());
  EXPECT_FALSE(own.stopped());
  end_all();
  EXPECT_TRUE(context_.stopped());
  EXPECT_FALSE(own.stopped());
  own.poll();
  EXPECT_TRUE(own.stopped());
}

TEST_F(AsioTest, CallsThatEndTogetherAreToldAFewAtATimeWithOtherWorkBetween) {
  std::vector<int> told;
  for (int i = 0; i < 100; ++i) sessions_.get(key_of("a"), [&, i](const Got&) { told.push_back(i); });
  store_.end_all();
  store_.run_ready();
  std::size_t told_before_other_work = 0;
  net::post(context_, [&] { told_before_other_work = told.size(); });
  std::size_t posts = 0;
  while (context_.poll_one() > 0) ++posts;
  // Four turns, a step between each two of them, and the other work.
  EXPECT_EQ(posts, 4U + 3U + 1U);
  EXPECT_EQ(told_before_other_work, handlers_in_turn(100));
  EXPECT_EQ(told.size(), 100U);
  EXPECT_TRUE(std::ranges::is_sorted(told));
}

/// Counts what is allocated, and what of it is not free.
struct Counts {
  int made = 0;
  int held = 0;
};
template <class T>
struct CountingAllocator {
  using value_type = T;
  explicit CountingAllocator(Counts& told) : counts(&told) {}
  template <class U>
  CountingAllocator(const CountingAllocator<U>& other) : counts(other.counts) {}
  T* allocate(std::size_t number) {
    ++counts->made;
    ++counts->held;
    return std::allocator<T>().allocate(number);
  }
  void deallocate(T* memory, std::size_t number) {
    --counts->held;
    std::allocator<T>().deallocate(memory, number);
  }
  template <class U>
  bool operator==(const CountingAllocator<U>& other) const {
    return counts == other.counts;
  }
  Counts* counts;
};

TEST_F(AsioTest, AHandlersAllocatorIsUsedAndItsMemoryFreeWhenTheHandlerRuns) {
  Counts counts;
  int held = -1;
  sessions_.get(key_of("a"),
                net::bind_allocator(CountingAllocator<char>(counts), [&](const Got&) { held = counts.held; }));
  EXPECT_GE(counts.made, 1);
  end_all();
  EXPECT_EQ(held, 0);
}

// --- outcomes that are known at once
// ----------------------------------------------------------------------------------

class KnownAtOnce : public AsioTest {
 protected:
  void SetUp() override { store_.know_outcomes(); }
};

TEST_F(KnownAtOnce, AHandlerIsPosted) {
  net::io_context own;
  bool is_told = false;
  sessions_.get(key_of("a"), net::bind_executor(own.get_executor(), [&](const Got&) { is_told = true; }));
  EXPECT_FALSE(is_told);
  own.poll();
  EXPECT_TRUE(is_told);
}

#ifdef OBOL_TEST_HAS_IMMEDIATE_EXECUTOR
TEST_F(KnownAtOnce, AHandlersImmediateExecutorIsUsed) {
  bool is_told = false;
  sessions_.get(key_of("a"), net::bind_immediate_executor(net::system_executor(), [&](const Got&) { is_told = true; }));
  EXPECT_TRUE(is_told);
}
#endif

/// How far the stack reached, at most.
class StackDepth {
 public:
  // Not by a variable, which AddressSanitizer keeps elsewhere.
  void measure() {
    const auto address = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    lowest_ = std::min(lowest_, address);
    highest_ = std::max(highest_, address);
  }
  std::uintptr_t reached() const { return highest_ - lowest_; }

 private:
  std::uintptr_t lowest_ = UINTPTR_MAX;
  std::uintptr_t highest_ = 0;
};

void get_in_handlers(face::Store<>& sessions, int left, StackDepth& depth) {
  sessions.get(key_of("a"), [&sessions, left, &depth](const Got&) {
    depth.measure();
    if (left > 1) get_in_handlers(sessions, left - 1, depth);
  });
}
net::awaitable<void> get_in_coroutine(face::Store<>& sessions, int times, StackDepth& depth) {
  for (; times > 0; --times) {
    static_cast<void>(co_await sessions.get(key_of("a")));
    depth.measure();
  }
}

TEST_F(KnownAtOnce, ALoopDoesNotGrowTheStack) {
  StackDepth depth;
  get_in_handlers(sessions_, 2'000, depth);
  context_.run();
  EXPECT_LT(depth.reached(), 2'000U);

  StackDepth depth_of_coroutine;
  net::co_spawn(context_, get_in_coroutine(sessions_, 2'000, depth_of_coroutine), net::detached);
  context_.restart();
  context_.run();
  EXPECT_LT(depth_of_coroutine.reached(), 2'000U);
}

// --- cancelling
// -------------------------------------------------------------------------------------------------------

TEST_F(AsioTest, ACallThatReadsIsCancelledByEveryType) {
  for (const auto type :
       {net::cancellation_type::terminal, net::cancellation_type::partial, net::cancellation_type::total}) {
    net::cancellation_signal signal;
    std::optional<Got> got;
    sessions_.get(key_of("a"), net::bind_cancellation_slot(signal.slot(), [&](Got outcome) { got = outcome; }));
    signal.emit(type);
    EXPECT_FALSE(got) << "told inside emit()";
    run_context();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->error().code, ErrorCode::cancelled);
  }
}

TEST_F(AsioTest, ACallThatWritesIsNotCancelledByTotal) {
  net::cancellation_signal signal;
  std::optional<ErrorCode> code;
  const auto told = [&](const auto& outcome) {
    if (outcome.error().code == ErrorCode::cancelled) code = ErrorCode::cancelled;
  };
  sessions_.upsert({}, net::bind_cancellation_slot(signal.slot(), told));
  signal.emit(net::cancellation_type::total);
  EXPECT_EQ(store_.in_flight(), 1U);
  signal.emit(net::cancellation_type::partial);
  EXPECT_EQ(store_.in_flight(), 0U);
  run_context();
  EXPECT_EQ(code, ErrorCode::cancelled);
}

TEST_F(AsioTest, AStopTokenCancelsBesideASlot) {
  net::cancellation_signal signal;
  const std::stop_source stop;
  std::optional<Got> got;
  sessions_.get(key_of("a"), {.stop = stop.get_token()},
                net::bind_cancellation_slot(signal.slot(), [&](Got outcome) { got = outcome; }));
  stop.request_stop();
  run_context();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->error().code, ErrorCode::cancelled);
}

TEST_F(AsioTest, ASlotIsEmptyWhenTheHandlerRuns) {
  net::cancellation_signal signal;
  bool has_handler = true;
  sessions_.get(key_of("a"), net::bind_cancellation_slot(
                                 signal.slot(), [&](const Got&) { has_handler = signal.slot().has_handler(); }));
  EXPECT_TRUE(signal.slot().has_handler());
  end_all();
  EXPECT_FALSE(has_handler);
}

TEST_F(AsioTest, CancellingACoroutineCancelsItsCall) {
  net::cancellation_signal signal;
  std::optional<std::error_code> code;
  net::co_spawn(
      context_, [&]() -> net::awaitable<void> { code = (co_await sessions_.get(key_of("a"))).error().code; },
      net::bind_cancellation_slot(signal.slot(), [](const std::exception_ptr& thrown) {
        if (thrown) std::rethrow_exception(thrown);
      }));
  context_.poll();
  ASSERT_EQ(store_.in_flight(), 1U);
  signal.emit(net::cancellation_type::terminal);
  context_.poll();  // Some versions dispatch it to the coroutine's executor.
  EXPECT_EQ(store_.in_flight(), 0U);
  run_context();
  EXPECT_EQ(code, ErrorCode::cancelled);
}

// --- ends
// -------------------------------------------------------------------------------------------------------------

/// Runs a function where it is, and lets its exceptions pass.
struct InlineExecutor {
  net::io_context* context;
  net::execution_context& query(net::execution::context_t) const noexcept { return *context; }
  template <class Function>
  void execute(Function function) const {
    function();
  }
  // For asio::post.
  auto require(net::execution::blocking_t::never_t never) const { return net::require(context->get_executor(), never); }
  bool operator==(const InlineExecutor&) const noexcept = default;
};

class ThrowingHandlers : public AsioTest {
 protected:
  /// Three calls end, and the second handler throws.
  template <class HandlersExecutor>
  void throw_in_the_second_of(const HandlersExecutor& executor) {
    for (int i = 0; i < 3; ++i) {
      sessions_.get(key_of("a"), net::bind_executor(executor, [this, i](const Got&) {
                      told_.push_back(i);
                      if (i == 1) throw std::runtime_error("of the handler");
                    }));
    }
    store_.end_all();
    store_.run_ready();
    EXPECT_THROW(context_.run(), std::runtime_error);
    context_.run();
  }

  std::vector<int> told_;
};

TEST_F(ThrowingHandlers, AnExceptionLeavesRunAndTheOthersAreTold) {
  throw_in_the_second_of(context_.get_executor());
  EXPECT_EQ(told_, (std::vector{0, 1, 2}));
}

TEST_F(ThrowingHandlers, AnExceptionThatInterruptsARoundLeavesTheRestOfItToTheNextRun) {
  throw_in_the_second_of(InlineExecutor{&context_});
  EXPECT_EQ(told_, (std::vector{0, 1, 2}));
}

TEST(AsioEndTest, AContextThatEndsDestroysHandlersWithoutCallingThem) {
  ScriptedStore store;
  const auto held = std::make_shared<bool>(false);
  {
    net::io_context context;
    face::Store<> sessions(store, context.get_executor());
    for (int i = 0; i < 3; ++i) sessions.get(key_of("a"), [held](const Got&) { *held = true; });
    store.end_all();
    store.run_ready();
    EXPECT_EQ(held.use_count(), 4);
  }
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_FALSE(*held);
}

TEST(AsioEndTest, CallsEndWithTheStoreAlsoIfTheFaceHasEndedBefore) {
  net::io_context context;
  std::optional<std::error_code> code;
  {
    ScriptedStore store;
    face::Store<> sessions(store, context.get_executor());
    sessions.get(key_of("a"), [&](const Got& outcome) { code = outcome.error().code; });
  }
  context.run();
  EXPECT_EQ(code, ErrorCode::closed);
}

}}  // namespace obol::testing
