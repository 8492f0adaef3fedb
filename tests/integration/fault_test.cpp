// What a store promises while the network between it and its server fails.
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <thread>
#include <tuple>

#include "support/await.hpp"
#include "support/fault_proxy.hpp"
#include "support/monitor.hpp"
#include "support/store_calls.hpp"
#include "support/tested_store.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Timeouts short_timeouts{
    .connect = milliseconds(200), .command = milliseconds(200), .total = milliseconds(600)};
constexpr Timeouts patient{.connect = seconds(2), .command = milliseconds(200), .total = seconds(15)};

/// How long a call may take on a loaded machine that should end after `short_timeouts.total`.
constexpr seconds longest_end{5};

bool is_failure_to_reach(std::error_code code) {
  return code == ErrorCode::timeout || code == ErrorCode::unavailable || code == ErrorCode::protocol ||
         code == ErrorCode::pool_timeout;
}

void expect_all_end_in_time(SessionStore& store) {
  for (const auto& outcome : make_all_calls(store)) {
    EXPECT_TRUE(is_failure_to_reach(outcome.code)) << outcome.call << ": " << outcome.message;
    EXPECT_LT(outcome.took, longest_end) << outcome.call;
  }
}

class FaultTest : public TestedStoreTest {
 protected:
  TestedStore store_through_proxy(const Timeouts& timeouts, PoolOptions pool = {}) {
    return store_over(proxy.tcp_connection(), timeouts, pool);
  }

  TestedStore store_over(const ConnectionOptions& connection, const Timeouts& timeouts, PoolOptions pool = {}) {
    auto options = options_for(server, observer);
    options.connection = connection;
    options.timeouts = timeouts;
    options.pool = pool;
    return tested_store(options);
  }

  Session created(SessionStore& store, std::string user = "user", std::string id = "session") {
    auto session = new_session(std::move(user), std::move(id));
    session.extra_payload = session.id;
    const auto outcome = store.upsert(session);
    EXPECT_TRUE(outcome.has_value()) << outcome.error().message;
    return session;
  }

  FaultProxy proxy{server};
  std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();
};

// ---- answers that are lost

struct NamedFault {
  std::string name;
  Fault fault;
};

const std::vector<NamedFault>& answer_losing_faults() {
  static const std::vector<NamedFault> faults{{"swallowed", Fault::swallow_reply()},
                                              {"cut before the reply", Fault::cut_before_reply()},
                                              {"cut in the reply", Fault::cut_in_reply(2)},
                                              {"reset in the reply", Fault::reset_in_reply(1)},
                                              {"reset before it", Fault::reset_in_reply(0)},
                                              {"never delivered", Fault::cut_before_delivery()},
                                              {"half open", Fault::half_open()}};
  return faults;
}

class LostAnswer : public FaultTest {
 protected:
  /// Runs `act` once for each fault, done to the next command of that word.
  template <class Act>
  void with_each_fault(const std::string& word, Act act) {
    for (const auto& [name, fault] : answer_losing_faults()) {
      SCOPED_TRACE(name);
      const auto before = proxy.faults();
      proxy.once(fault, word);
      act(name);
      EXPECT_EQ(proxy.faults(), before + 1);
    }
  }

  TestedStore store = store_through_proxy(patient);
  RedisStore direct = store_on(server);
};

/// Of what differs between functions and scripts.
using LostAnswerOfAFunction = LostAnswer;

TEST_P(LostAnswer, OfACreateCountsOnce) {
  with_each_fault("HSETEX", [&](const std::string& id) {
    const auto session = created(store, "user", id);
    EXPECT_EQ(session.lock_version, 1U);
    EXPECT_EQ(direct.get(session.key()).value(), session);
  });
  EXPECT_EQ(observer->count("created"), answer_losing_faults().size());
  EXPECT_EQ(observer->count("conflict"), 0U);
}

TEST_P(LostAnswerOfAFunction, OfAnUpdateCountsOnce) {
  auto session = created(store);
  with_each_fault(call_word(), [&](const std::string& name) {
    const auto version = session.lock_version;
    session.extra_payload = name;
    const auto outcome = store.upsert(session);
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
    EXPECT_EQ(session.lock_version, version + 1);
    EXPECT_EQ(direct.get(session.key()).value(), session);
  });
  EXPECT_EQ(observer->count("refreshed"), answer_losing_faults().size());
  EXPECT_EQ(observer->count("conflict"), 0U);
}

TEST_P(LostAnswer, OfADeleteLeavesNothingAndSucceeds) {
  with_each_fault("HDEL", [&](const std::string& id) {
    const auto session = created(store, "user", id);
    EXPECT_FALSE(code_of(store.delete_one(session.key())));
    EXPECT_EQ(direct.get(session.key()).value(), std::nullopt);
  });
  EXPECT_EQ(observer->count("deleted "), answer_losing_faults().size());
}

TEST_P(LostAnswer, OfADeleteOfAllLeavesNothingAndSucceeds) {
  with_each_fault("UNLINK", [&](const std::string& id) {
    created(store, "user", id);
    EXPECT_FALSE(code_of(store.delete_all("user", "full")));
    EXPECT_TRUE(direct.get_all("user", "full")->empty());
  });
}

TEST_P(LostAnswerOfAFunction, OfADeleteOfOthersLeavesTheOneToKeepAndSucceeds) {
  const auto kept = created(store);
  with_each_fault(call_word(), [&](const std::string& id) {
    created(store, "user", id);
    EXPECT_FALSE(code_of(store.delete_others(kept.key())));
    EXPECT_EQ(direct.get_all("user", "full").value(), std::vector{kept});
  });
}

TEST_P(LostAnswer, OfAReadIsAskedForAgain) {
  const auto session = created(store);
  with_each_fault("HGET", [&](const std::string&) { EXPECT_EQ(store.get(session.key()).value(), session); });
  with_each_fault("HGETALL",
                  [&](const std::string&) { EXPECT_EQ(store.get_all("user", "full").value(), std::vector{session}); });
}

TEST_P(LostAnswerOfAFunction, OfLoadingTheFunctionsIsAskedForAgain) {
  auto session = created(store);
  lose_functions();
  proxy.once(Fault::cut_before_reply(), loading_word());
  EXPECT_TRUE(store.upsert(session).has_value());
  EXPECT_EQ(proxy.faults(), 1);
}

TEST_P(LostAnswer, ToCallsOfSeveralCommandsIsPaidForByThoseThatCame) {
  const std::vector<SessionKey> keys(20, {.user_id = "user", .id = "id"});
  for (int round = 0; round < 100; ++round) {
    proxy.once(Fault::cut_before_reply(), "HGET");
    ASSERT_TRUE(store.get_many(keys).has_value()) << round;
  }
  EXPECT_EQ(proxy.faults(), 100);
}

TEST_P(LostAnswerOfAFunction, DoesNotMakeAWriterTakeAnothersEqualWriteForItsOwn) {
  auto slow = store_through_proxy({.connect = seconds(2), .command = seconds(2), .total = seconds(30)});
  const auto session = created(direct);
  proxy.once(Fault::half_open(), call_word());
  auto late = session;
  std::expected<Upserted, UpsertError> outcome;
  std::jthread writer([&] { outcome = slow.upsert(late); });
  EXPECT_TRUE(proxy.await_faults(1));
  auto early = session;
  EXPECT_TRUE(direct.upsert(early).has_value());
  writer.join();
  EXPECT_EQ(code_of(outcome), ErrorCode::conflict) << "both were given lock version 2";
}

TEST_P(LostAnswerOfAFunction, LetsALateCopyOfARefreshBringNoSessionBack) {
  auto session = created(store);
  Monitor monitor(server);
  proxy.once(Fault::deliver_late(milliseconds(1000)), call_word());
  ASSERT_FALSE(code_of(store.upsert(session)));
  ASSERT_FALSE(code_of(store.delete_one(session.key())));
  int updates = 0;
  const auto give_up = std::chrono::steady_clock::now() + seconds(20);
  while (updates < 2 && std::chrono::steady_clock::now() < give_up) {
    for (const auto& command : monitor.commands()) updates += command.starts_with('"' + call_word()) ? 1 : 0;
  }
  EXPECT_GE(updates, 2);
  EXPECT_EQ(direct.get(session.key()).value(), std::nullopt);
}

OBOL_ON_STORES(LostAnswer, all_stores());
OBOL_ON_STORES(LostAnswerOfAFunction, stores_of_each_form());

// ---- faults that do not end

struct Trouble {
  std::string name;
  Fault fault;
  std::string word{};  ///< Of the commands it is done to; empty: the store's.
};

std::vector<Trouble> troubles() {
  return {{"SwallowedReplies", Fault::swallow_reply()},
          {"HalfOpenConnections", Fault::half_open()},
          {"SlowReplies", Fault::delay(seconds(60))},
          {"TrickledReplies", Fault::trickle(1, milliseconds(150), "+" + std::string(200, 'x') + "\r\n")},
          {"CutsBeforeDelivery", Fault::cut_before_delivery()},
          {"CutsBeforeReplies", Fault::cut_before_reply()},
          {"CutsInReplies", Fault::cut_in_reply(2)},
          {"ResetsInReplies", Fault::reset_in_reply(2)},
          {"Garbage", Fault::garbage("HTTP/1.1 400 Bad Request\r\n\r\n")},
          {"SwallowedGreetings", Fault::swallow_reply(), "HELLO"},
          {"HalfOpenNewConnections", Fault::half_open(), "HELLO"},
          {"CutGreetings", Fault::cut_in_reply(5), "HELLO"},
          {"TrickledGreetings", Fault::trickle(1, milliseconds(20)), "HELLO"},
          {"GarbageForGreetings", Fault::garbage("SSH-2.0-OpenSSH_9.2\r\n"), "HELLO"}};
}

class Under : public ::testing::TestWithParam<std::tuple<StoreOnServer, Trouble>> {
 protected:
  /// Begins now, for connections that stand and new ones.
  void begin_trouble() {
    const auto& trouble = std::get<1>(GetParam());
    proxy.always(trouble.fault, trouble.word);
    if (!trouble.word.empty()) server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  }

  RedisStoreOptions options() const {
    auto options = options_for(server);
    options.connection = proxy.tcp_connection();
    options.timeouts = short_timeouts;
    return options;
  }

  TestServer server{std::get<0>(GetParam()).server};
  FaultProxy proxy{server};
};

TEST_P(Under, EveryCallEndsByItsDeadlineAndTheStoreWorksAgainAfterwards) {
  TestedStore store(std::get<0>(GetParam()).store, options());
  ASSERT_TRUE(comes_to_work(store));
  begin_trouble();
  expect_all_end_in_time(store);
  proxy.heal();
  EXPECT_TRUE(comes_to_work(store));
}

INSTANTIATE_TEST_SUITE_P(On, Under,
                         ::testing::Combine(::testing::ValuesIn(all_stores_once()), ::testing::ValuesIn(troubles())),
                         [](const auto& parameter) {
                           return name_of(std::get<0>(parameter.param)) + "_" + std::get<1>(parameter.param).name;
                         });

// ---- replies that come in odd ways

class OddReply : public FaultTest {};

TEST_P(OddReply, SplitAtEveryByteIsReadRight) {
  auto store = store_through_proxy(ample_timeouts);
  proxy.follow([](std::string_view) { return Fault::split_every_byte(); });
  server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_FALSE(live_a_session(store));
  const auto session = created(store);
  auto stale = session;
  auto fresh = session;
  ASSERT_TRUE(store.upsert(fresh).has_value());
  const auto refused = store.upsert(stale);
  ASSERT_EQ(code_of(refused), ErrorCode::conflict);
  EXPECT_EQ(refused.error().current, fresh);
}

TEST_P(OddReply, ThatIsSlowButInTimeIsRead) {
  auto store = store_through_proxy(ample_timeouts);
  const auto session = created(store);
  proxy.once(Fault::delay(milliseconds(300)));
  EXPECT_EQ(store.get(session.key()).value(), session);
  proxy.once(Fault::trickle(100, milliseconds(20)));
  EXPECT_EQ(store.get(session.key()).value(), session);
}

TEST_P(OddReply, BehindAPushIsStillTheReply) {
  auto store = store_through_proxy(patient);
  const auto session = created(store);
  proxy.always(Fault::push_before_reply());
  EXPECT_EQ(store.get(session.key()).value(), session);
  EXPECT_FALSE(live_a_session(store));
}

TEST_P(OddReply, SentTwiceDoesNotAnswerTheNextCall) {
  auto store = store_through_proxy(patient, {.size = 1, .max_overflow = 0});
  const auto first = created(store, "user", "first");
  const auto second = created(store, "user", "second");
  for (int i = 0; i < 20; ++i) {
    proxy.once(Fault::duplicate_reply());
    EXPECT_EQ(store.get(first.key()).value(), first);
    EXPECT_EQ(store.get(second.key()).value(), second);
  }
}

TEST_P(OddReply, FollowedByTheEndOfTheConnectionCountsAndTheNextCallSucceeds) {
  auto store = store_through_proxy(patient);
  const auto session = created(store);
  // An asynchronous store does not get the marker behind the reply, and asks again.
  const bool counts = GetParam().store == StoreKind::blocking;
  if (counts) proxy.always(Fault::cut_after_reply());
  for (int i = 0; i < 50; ++i) {
    if (!counts) proxy.once(Fault::cut_after_reply());
    EXPECT_EQ(store.get(session.key()).value(), session);
  }
}

TEST_P(OddReply, ThatComesTooLateNeverReachesAnotherCaller) {
  auto store = store_through_proxy({.command = milliseconds(50), .total = seconds(10)}, {.size = 2, .max_overflow = 0});
  proxy.follow([count = 0](std::string_view word) mutable {
    return FaultProxy::is_store_command(word) && ++count % 10 == 0 ? Fault::delay(milliseconds(60)) : Fault{};
  });
  std::vector<std::jthread> callers;
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&, name = std::to_string(caller)] {
      const auto session = created(store, name, name);
      for (int i = 0; i < 100; ++i) {
        const auto found = store.get(session.key());
        if (found) {
          EXPECT_EQ(*found, session);
        }
      }
    });
  }
  callers.clear();
  EXPECT_EQ(observer->count("verification_failed"), 0U);
  EXPECT_GE(proxy.faults(), 50U);
}

TEST_P(OddReply, ThatIsGarbageIsAnErrorAndTheStoreGoesOn) {
  auto store = store_through_proxy(short_timeouts);
  auto direct = store_on(server);
  const auto session = created(direct);
  std::string deep;
  for (int i = 0; i < 1025; ++i) deep += "*1\r\n";
  const std::array<std::string, 12> garbage{"HTTP/1.1 400 Bad Request\r\n\r\n",
                                            std::string(100, '\0'),
                                            "*4294967295\r\n",
                                            "*9223372036854775807\r\n$1\r\na\r\n",
                                            "%9223372036854775807\r\n",
                                            "$9223372036854775807\r\n",
                                            "$-7\r\n",
                                            ":not a number\r\n",
                                            "\r\n\r\n\r\n",
                                            "*2\r\n$1\r\na\r\n",
                                            deep,
                                            std::string(100'000, 'x')};
  for (const auto& text : garbage) {
    proxy.once(Fault::garbage(text));
    const auto found = store.get(session.key());
    if (found) {
      EXPECT_EQ(*found, session) << text.substr(0, 40);
    } else {
      EXPECT_TRUE(is_failure_to_reach(found.error().code)) << text.substr(0, 40) << ": " << found.error().message;
    }
  }
  EXPECT_TRUE(comes_to_work(store));
  await("the session to be read", [&] {
    const auto found = store.get(session.key());
    return found && *found == session;
  });
}

TEST_P(OddReply, LargerThanTheLimitIsTooLarge) {
  auto options = options_for(server);
  options.connection = proxy.tcp_connection();
  options.max_payload_bytes = 1024;
  options.max_reply_bytes = 128 * 1024;
  auto store = tested_store(options);
  proxy.once(Fault::garbage("$1000000\r\n" + std::string(1'000'000, 'x') + "\r\n"));
  EXPECT_EQ(code_of(store.get({.user_id = "user", .id = "session"})), ErrorCode::too_large);
  EXPECT_TRUE(comes_to_work(store));
}

OBOL_ON_STORES(OddReply, all_stores());

// ---- signals

class Signals : public FaultTest {};

/// Interrupts the thread that runs the test every five milliseconds, as a profiler does, for ten seconds at most.
class SignalStorm {
 public:
  SignalStorm() {
    struct sigaction action{};
    action.sa_handler = [](int) {
      left = left - 1;
      if (left == 0) set_interval({});
    };
    ::sigaction(SIGALRM, &action, &before_);
    left = 2000;
    set_interval({.tv_sec = 0, .tv_usec = 5000});
  }
  ~SignalStorm() {
    set_interval({});
    ::sigaction(SIGALRM, &before_, nullptr);
  }
  SignalStorm(const SignalStorm&) = delete;
  SignalStorm& operator=(const SignalStorm&) = delete;

 private:
  static void set_interval(timeval interval) {
    const itimerval timer{.it_interval = interval, .it_value = interval};
    ::setitimer(ITIMER_REAL, &timer, nullptr);
  }
  static inline volatile std::sig_atomic_t left = 0;
  struct sigaction before_{};
};

TEST_P(Signals, DoNotBreakACallThatConnectsOrWaits) {
  auto store = store_through_proxy(patient);
  const auto session = created(store);
  const SignalStorm storm;
  proxy.follow([](std::string_view) { return Fault::delay(milliseconds(60)); });
  for (int i = 0; i < 5; ++i) {
    server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
    EXPECT_EQ(store.get(session.key()).value(), session);
  }
}

TEST_P(Signals, DoNotPutOffADeadline) {
  auto store = store_through_proxy(short_timeouts);
  proxy.follow([](std::string_view) { return Fault::swallow_reply(); });
  const SignalStorm storm;
  for (int i = 0; i < 2; ++i) {
    const auto start = std::chrono::steady_clock::now();
    // In this thread, which is the one that the signals go to.
    EXPECT_TRUE(is_failure_to_reach(code_of(store.get({.user_id = "user", .id = "session"}))));
    EXPECT_LT(std::chrono::steady_clock::now() - start, longest_end);
    server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});  // The next one waits for a greeting.
  }
}

TEST_P(Signals, AreNeverRaisedByAWriteToAConnectionThatIsGone) {
  // TCP would be reset, without a signal. A megabyte takes its time under a sanitizer.
  auto store = store_over(proxy.connection(), {.connect = seconds(2), .command = seconds(5), .total = seconds(15)});
  auto* const before = std::signal(SIGPIPE, SIG_DFL);
  auto session = new_session();
  session.extra_payload.assign(1'000'000, 'x');  // More than a socket takes in, so that the end comes in mid-write.
  for (int i = 0; i < 5; ++i) proxy.once(Fault::cut_in_command());
  EXPECT_FALSE(code_of(store.upsert(session)));
  EXPECT_EQ(store.get(session.key()).value(), session);
  std::signal(SIGPIPE, before);
}

OBOL_ON_STORES(Signals, all_stores());

// ---- the end of the store

class Closing : public FaultTest {};

constexpr int waiting_threads = 64;

/// Sixty-four callers of a store whose server never answers.
class StuckCallers {
 public:
  StuckCallers(SessionStore& store, FaultProxy& proxy) {
    // One that is swallowed is noticed by the asynchronous store at the marker behind it, and asked for again.
    proxy.always(Fault::delay(std::chrono::minutes(5)));
    for (int i = 0; i < waiting_threads; ++i) {
      threads_.emplace_back([this, &store] {
        const auto code = code_of(store.get({.user_id = "user", .id = "session"}));
        closed_ += code == ErrorCode::closed ? 1 : 0;
        failed_ += code ? 1 : 0;
      });
    }
  }

  void join() { threads_.clear(); }
  int closed() const { return closed_; }
  int failed() const { return failed_; }

 private:
  std::atomic<int> closed_ = 0;
  std::atomic<int> failed_ = 0;
  std::vector<std::jthread> threads_;
};

TEST_P(Closing, EndsTheCallsOf64ThreadsThatWaitForAConnection) {
  auto store = store_through_proxy({.command = milliseconds(500), .total = seconds(60)},
                                   {.size = 1, .max_overflow = 0, .checkout_timeout = seconds(60)});
  StuckCallers callers(store, proxy);
  EXPECT_TRUE(proxy.await_faults(1));
  const auto start = std::chrono::steady_clock::now();
  store.close();
  callers.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(10));
  EXPECT_EQ(callers.failed(), waiting_threads);
  EXPECT_GE(callers.closed(), waiting_threads / 2);
}

TEST_P(Closing, ByTheDestructorEndsTheCallsOf64ThreadsThatWaitForAnAnswer) {
  // Long enough that none is repeated before all are inside: it would count as another.
  auto store = std::make_unique<TestedStore>(
      store_through_proxy({.command = seconds(10), .total = seconds(60)}, {.size = waiting_threads}));
  StuckCallers callers(*store, proxy);
  ASSERT_TRUE(proxy.await_faults(waiting_threads)) << "not all of them are inside the store";
  const auto start = std::chrono::steady_clock::now();
  store.reset();
  callers.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(30));
  EXPECT_EQ(callers.failed(), waiting_threads);
}

// The calls of a store that is driven by its callers end before it may be destroyed.
OBOL_ON_STORES(Closing, all_stores_once());

}}  // namespace obol::testing
