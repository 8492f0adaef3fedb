// The engine on a real server: each call gets its own reply, in time, whatever happens on the way.
#include "redis/loop/engine.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <deque>
#include <future>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "obol/testing/queueing_executor.hpp"
#include "support/engine_test.hpp"
#include "support/fault_proxy.hpp"

namespace obol::testing { namespace {

using EngineTest = EngineServerTest;

TEST_P(EngineTest, GivesEachCallItsOwnReply) {
  connect(server.connection());
  for (int i = 0; i < 2000; ++i) begin({"ECHO", "text " + std::to_string(i)});
  drive_all();
  for (int i = 0; i < 2000; ++i) {
    const auto index = static_cast<std::size_t>(i);
    ASSERT_EQ(calls[index].text(), "text " + std::to_string(i));
    ASSERT_EQ(calls[index].completions, 1);
  }
}

TEST_P(EngineTest, NeverCompletesACallBeforeItIsDriven) {
  connect(server.connection());
  auto& call = begin({"PING"});
  EXPECT_FALSE(call.has_ended());
  drive_all();
  EXPECT_EQ(call.text(), "PONG");
}

TEST_P(EngineTest, RefusesMoreCommandsThanMayWait) {
  connect(server.connection(), {.max_waiting = 3});
  for (int i = 0; i < 3; ++i) begin({"PING"});
  KeptCall refused({Command{"PING"}});
  EXPECT_FALSE(engine->begin(refused));
  EXPECT_EQ(refused.code(), ErrorCode::pool_timeout);
  drive_all();
  EXPECT_FALSE(refused.has_ended());
  begin({"PING"});
  drive_all();
}

// Two sends are on their way when the first is told that the scripts are missing; the second is told so once they are
// loaded again.
TEST_P(EngineTest, FunctionsThatAnEarlierSendLackedAreNotLoadedAgain) {
  const std::string missing = "NOSCRIPT No matching script.";
  std::atomic<int> loads = 0;
  std::promise<void> both_are_sent;
  int sends = 0;
  FaultProxy proxy(server);
  proxy.follow([&, sent = both_are_sent.get_future().share()](std::string_view word) -> Fault {
    if (word != "EVALSHA") return {};
    if (++sends == 1) {
      sent.wait();
      return Fault::refuse(missing);
    }
    return sends == 2 ? Fault::trickle(1, milliseconds(10), "-" + missing + "\r\n") : Fault();
  });
  start_engine({.connection = proxy.connection(),
                .timeouts = patient,
                .functions = FunctionLoading::scripts,
                .max_reply_bytes = 2 * 1024 * 1024,
                .events = {.on_functions_loaded = [&](std::string_view) { ++loads; }}});
  begin({"PING"});
  drive_all();
  for (int call = 0; call < 2; ++call) {
    EXPECT_TRUE(engine->begin(calls.emplace_back(std::vector{probe_command("key")})));
    engine->run_ready();
  }
  both_are_sent.set_value();
  drive_all();
  for (auto& call : calls) EXPECT_FALSE(call.code()) << call.text();
  EXPECT_EQ(loads, 1);
}

TEST_P(EngineTest, ACallEndsByItsDeadlineWhileTheServerIsSilent) {
  connect(server.connection());
  begin({"PING"});
  drive_all();
  server.signal(SIGSTOP);
  const auto begun = Deadline::Time::now();
  auto& call = begin({"PING"}, milliseconds(50));
  drive_all();
  EXPECT_EQ(call.code(), ErrorCode::timeout);
  EXPECT_GE(Deadline::Time::now() - begun, milliseconds(50));
  server.signal(SIGCONT);
  // Its reply comes and is nobody's.
  auto& next = begin({"ECHO", "next"});
  drive_all();
  EXPECT_EQ(next.text(), "next");
}

TEST_P(EngineTest, ASilentServerIsGivenUpAfterTheCommandTimeOutAndAskedAnew) {
  connect(server.connection(), {}, {.command = milliseconds(100)});
  begin({"PING"});
  drive_all();
  server.signal(SIGSTOP);
  auto& call = begin({"ECHO", "again"});
  const auto opened = client->counts().opened.load();
  drive();
  drive_until([&] { return engine->statistics().used == 0 || call.has_ended(); });
  server.signal(SIGCONT);
  drive_all();
  EXPECT_EQ(call.text(), "again");
  EXPECT_GT(client->counts().opened.load(), opened);
}

TEST_P(EngineTest, CallsOfALostConnectionAreRepeated) {
  connect(server.connection());
  begin({"PING"});
  drive_all();
  server.command({"CLIENT", "KILL", "TYPE", "normal"});
  for (int i = 0; i < 100; ++i) begin({"ECHO", std::to_string(i)});
  drive_all();
  for (std::size_t i = 1; i <= 100; ++i) EXPECT_EQ(calls[i].text(), std::to_string(i - 1));
}

TEST_P(EngineTest, ACancelledCallEndsAtOnceAndTheNextGetsItsOwnReply) {
  connect(server.connection());
  begin({"PING"});
  drive_all();
  server.signal(SIGSTOP);
  auto& sent = begin({"ECHO", "mine"});
  drive();
  engine->cancel(sent);
  drive_until([&] { return sent.has_ended(); });
  EXPECT_EQ(sent.code(), ErrorCode::cancelled);
  auto& unsent = begin({"ECHO", "mine"});
  engine->cancel(unsent);
  auto& next = begin({"ECHO", "next"});
  server.signal(SIGCONT);
  drive_all();
  EXPECT_EQ(unsent.code(), ErrorCode::cancelled);
  EXPECT_EQ(next.text(), "next");
}

TEST_P(EngineTest, AClosedEngineFinishesWhatIsInFlightAndRefusesTheRest) {
  connect(server.connection());
  begin({"PING"});
  drive_all();
  server.signal(SIGSTOP);
  auto& sent = begin({"ECHO", "sent"});
  drive();
  auto& waiting = begin({"ECHO", "waits"});
  engine->close();
  KeptCall late({Command{"PING"}});
  EXPECT_FALSE(engine->begin(late));
  EXPECT_EQ(late.code(), ErrorCode::closed);
  EXPECT_FALSE(engine->closed());
  server.signal(SIGCONT);
  drive_all();
  EXPECT_EQ(sent.text(), "sent");
  EXPECT_EQ(waiting.code(), ErrorCode::closed);
  EXPECT_TRUE(engine->closed());
  drive_until([&] { return engine->statistics().idle + engine->statistics().used == 0; });
}

TEST_P(EngineTest, ADestroyedEngineEndsEveryCallOnce) {
  connect(server.connection());
  begin({"PING"});
  drive_all();
  server.signal(SIGSTOP);
  begin({"ECHO", "sent"});
  drive();
  begin({"ECHO", "waits"});
  engine.reset();
  EXPECT_EQ(calls[1].code(), ErrorCode::closed);
  EXPECT_EQ(calls[2].code(), ErrorCode::closed);
  for (const auto& call : calls) EXPECT_EQ(call.completions, 1);
  server.signal(SIGCONT);
}

TEST_P(EngineTest, WaitsOutAServerThatIsAway) {
  connect(server.connection());
  begin({"PING"});
  drive_all();
  server.stop();
  auto& call = begin({"ECHO", "back"});
  drive_until([&] { return client->counts().failed > 0; });
  server.start();
  drive_all();
  EXPECT_EQ(call.text(), "back");
}

TEST_P(EngineTest, TellsWhyNoServerCouldBeReached) {
  connect(server.connection());
  server.stop();
  auto& call = begin({"PING"}, milliseconds(3000));
  drive_all();
  EXPECT_EQ(call.code(), ErrorCode::unavailable);
  EXPECT_TRUE(call.text().contains(server.socket_path())) << call.text();
}

TEST_P(EngineTest, AnErrorReplyIsOfItsOwnCallAlone) {
  connect(server.connection());
  auto& good = begin({"ECHO", "good"});
  auto& bad = begin({"HGET", "key"});
  auto& also_good = begin({"ECHO", "also good"});
  drive_all();
  EXPECT_EQ(good.text(), "good");
  EXPECT_EQ(bad.code(), ErrorCode::server);
  EXPECT_EQ(also_good.text(), "also good");
}

TEST_P(EngineTest, AReplyThatIsTooLargeIsOfItsOwnCallAlone) {
  connect(server.connection());
  const std::string large(1'100'000, 'x');
  begin({"SET", "large", large});
  begin({"APPEND", "large", large});
  drive_all();
  auto& before = begin({"ECHO", "before"});
  auto& too_large = begin({"GET", "large"});
  auto& behind = begin({"ECHO", "behind"});
  drive_all();
  EXPECT_EQ(before.text(), "before");
  EXPECT_EQ(too_large.code(), ErrorCode::too_large);
  EXPECT_EQ(behind.text(), "behind");
}

TEST_P(EngineTest, AnExclusiveCallHoldsNobodyUp) {
  connect(server.connection());
  KeptCall slow({Command{"BLPOP", "nothing", "0.3"}});
  slow.exchange.kind = Exchange::Kind::exclusive;
  engine->begin(slow);
  begin({"PING"});
  drive_all();
  EXPECT_FALSE(slow.has_ended());
  drive_until([&] { return slow.has_ended(); });
  EXPECT_TRUE(slow.result()) << slow.text();
}

TEST_P(EngineTest, HasMoreInFlightThanTheKernelTakes) {
  connect(server.connection(), {.max_waiting = 100'000});
  const std::string value(10'000, 'v');
  for (int i = 0; i < 3000; ++i) begin({"ECHO", value});
  drive_all();
  for (auto& call : calls) ASSERT_EQ(call.text().size(), value.size());
}

TEST_P(EngineTest, ACallThatIsCancelledWhileItEndsByItselfEndsOnce) {
  connect_and_ask();
  auto& late = begin({"PING"}, milliseconds(-1));
  engine->cancel(late);
  auto& next = begin({"ECHO", "next"});
  drive_all();
  EXPECT_EQ(late.completions, 1);
  EXPECT_EQ(next.text(), "next");
}

TEST_P(EngineTest, ACallThatIsCancelledBeforeItWasSeenMayBeginAgain) {
  connect_and_ask();
  auto& call = begin({"ECHO", "mine"});
  engine->cancel(call);
  drive_until([&] { return call.has_ended(); });
  EXPECT_EQ(call.code(), ErrorCode::cancelled);
  ASSERT_TRUE(engine->begin(call));
  drive_until([&] { return call.completions == 2; });
  EXPECT_EQ(call.text(), "mine");
}

TEST_P(EngineTest, ACallThatIsRefusedForAClosedEngineIsNeverToldThatItIsFull) {
  connect(server.connection(), {.max_waiting = 1});
  begin({"PING"});
  engine->close();
  KeptCall late({Command{"PING"}});
  EXPECT_FALSE(engine->begin(late));
  EXPECT_EQ(late.code(), ErrorCode::closed);
}

// Those who are told in the destructor may tell others in turn.
TEST_P(EngineTest, ADestroyedEngineDeliversWhatItsLastHandlersHadDelivered) {
  connect_and_ask();
  KeptCall delivered({Command{"PING"}});
  auto& call = begin({"PING"});
  auto* const last = engine.get();
  call.on_complete = [&, last] { last->deliver(delivered, nullptr); };
  engine.reset();
  EXPECT_EQ(call.code(), ErrorCode::closed);
  EXPECT_EQ(delivered.completions, 1);
}

TEST_P(EngineTest, RepliesThatAreTooLargeTogetherAreAskedForAnew) {
  connect(server.connection());
  const std::string large(1'000'000, 'x');
  begin({"SET", "large", large});
  drive_all();
  // Small replies let it expect small ones: so these go out together, and are more than it holds.
  for (int i = 0; i < 100; ++i) begin({"GET", "large"});
  drive_all();
  for (std::size_t i = 1; i <= 100; ++i) ASSERT_EQ(calls[i].text().size(), large.size()) << calls[i].text();
}

TEST_P(EngineTest, RepliesOfOneCallMayBeLargeTogether) {
  connect(server.connection());
  const std::string large(1'000'000, 'x');
  begin({"SET", "large", large});
  drive_all();
  const std::vector<std::string> keys(100, "large");
  KeptCall many(std::vector<Command>(keys.size(), Command{"GET", "large"}));
  many.exchange.kind = Exchange::Kind::each;
  many.exchange.keys = keys;
  ASSERT_TRUE(engine->begin(many));
  drive_until([&] { return many.has_ended(); });
  ASSERT_TRUE(many.result()) << many.text();
  EXPECT_EQ(many.result()->replies.size(), keys.size());
}

TEST_P(EngineTest, ACallMayHaveMoreCommandsThanASmallNumberCounts) {
  constexpr std::size_t many_commands = 70'000;
  connect(server.connection(), {.max_waiting = 2 * many_commands});
  const std::vector<std::string> keys(many_commands, "key");
  KeptCall many(std::vector<Command>(many_commands, Command{"PING"}));
  many.exchange.kind = Exchange::Kind::each;
  many.exchange.keys = keys;
  ASSERT_TRUE(engine->begin(many));
  auto& next = begin({"ECHO", "next"});
  drive_all();
  drive_until([&] { return many.has_ended(); });
  ASSERT_TRUE(many.result()) << many.text();
  EXPECT_EQ(many.result()->replies.size(), many_commands);
  EXPECT_EQ(next.text(), "next");
}

TEST_P(EngineTest, ACallOfNoKeysEndsWithNothing) {
  connect(server.connection());
  KeptCall none({});
  none.exchange.kind = Exchange::Kind::each;
  ASSERT_TRUE(engine->begin(none));
  drive_until([&] { return none.has_ended(); });
  ASSERT_TRUE(none.result()) << none.text();
  EXPECT_TRUE(none.result()->replies.empty());
}

TEST_P(EngineTest, AnExclusiveCallGetsAConnectionAlsoFromTheSmallestPool) {
  connect(server.connection(), {.size = 1, .max_overflow = 0});
  auto& shared = begin({"PING"});
  KeptCall alone({Command{"ECHO", "alone"}});
  alone.exchange.kind = Exchange::Kind::exclusive;
  ASSERT_TRUE(engine->begin(alone));
  drive_until([&] { return alone.has_ended() && shared.has_ended(); });
  EXPECT_EQ(alone.text(), "alone");
}

TEST_P(EngineTest, ACommandIsNotSentAfterItsDeadlineHoweverLongHandlersTake) {
  connect_and_ask();
  KeptCall slow({Command{"PING"}});
  engine->deliver(slow, nullptr);
  // From here on it is told first in the next round.
  engine->run_ready();
  auto& late = begin({"SET", "late", "sent"}, milliseconds(100));
  slow.on_complete = [&] {
    while (!late.deadline.passed()) std::this_thread::sleep_for(milliseconds(1));
  };
  drive_until([&] { return late.has_ended(); });
  EXPECT_EQ(late.code(), ErrorCode::unavailable);
  EXPECT_EQ(server.command({"EXISTS", "late"}).integer, 0);
}

TEST_P(EngineTest, SendsWhatTheFirstHandlersBeganBeforeTheLastOnesRun) {
  connect_and_ask();
  std::deque<KeptCall> ended;
  std::vector<std::size_t> in_flight;
  for (int i = 0; i < 32; ++i) {
    auto& call = ended.emplace_back(std::vector{Command{"PING"}});
    call.on_complete = [&] {
      in_flight.push_back(engine->statistics().in_flight);
      begin({"PING"});
    };
    engine->deliver(call, nullptr);
  }
  drive_until([&] { return in_flight.size() == ended.size(); });
  drive_all();
  EXPECT_EQ(in_flight.front(), 0U);
  EXPECT_GT(in_flight.back(), 0U);
}

TEST_P(EngineTest, AHandlerThatThrowsLeavesTheOthersToTheNextRound) {
  connect_and_ask();
  std::deque<KeptCall> ended;
  for (int i = 0; i < 32; ++i) engine->deliver(ended.emplace_back(std::vector{Command{"PING"}}), nullptr);
  ended[20].on_complete = [] { throw std::runtime_error("a handler's own"); };
  engine->run_ready();
  EXPECT_THROW(engine->run_ready(), std::runtime_error);
  EXPECT_EQ(std::ranges::count_if(ended, &KeptCall::has_ended), 21);
  drive_until([&] { return std::ranges::all_of(ended, &KeptCall::has_ended); });
  for (const auto& call : ended) EXPECT_EQ(call.completions, 1);
}

TEST_P(EngineTest, AHandlerThatThrowsKeepsNoCallFromItsExecutor) {
  connect_and_ask();
  QueueingExecutor executor;
  std::deque<KeptCall> ended;
  for (int i = 0; i < 5; ++i) engine->deliver(ended.emplace_back(std::vector{Command{"PING"}}), nullptr);
  KeptCall cancelled({Command{"PING"}});
  cancelled.executor = &executor;
  ended.front().on_complete = [&] {
    ASSERT_TRUE(engine->begin(cancelled));
    engine->cancel(cancelled);
  };
  // In the next turn, and the last one of it.
  ended.back().on_complete = [] { throw std::runtime_error("a handler's own"); };
  engine->run_ready();
  EXPECT_THROW(engine->run_ready(), std::runtime_error);
  executor.take().run();
  EXPECT_TRUE(cancelled.has_ended());
  EXPECT_EQ(cancelled.code(), ErrorCode::cancelled);
}

TEST_P(EngineTest, WhatEndsWhileHandlersRunIsToldInTheNextRound) {
  connect_and_ask();
  std::deque<KeptCall> ended;
  const auto deliver = [&](const auto& self, int rounds) -> void {
    auto& call = ended.emplace_back(std::vector{Command{"PING"}});
    if (rounds > 1) call.on_complete = [&self, rounds] { self(self, rounds - 1); };
    engine->deliver(call, nullptr);
  };
  for (int i = 0; i < 16; ++i) deliver(deliver, 3);
  engine->run_ready();
  for (const auto told : {16, 32, 48}) {
    engine->run_ready();
    EXPECT_EQ(std::ranges::count_if(ended, &KeptCall::has_ended), told);
  }
  EXPECT_TRUE(std::ranges::all_of(ended, &KeptCall::has_ended));
}

TEST_P(EngineTest, ADemotedPrimaryIsLeftAndTheBudgetIsChargedOnce) {
  connect_and_ask();
  server.command({"REPLICAOF", "127.0.0.1", "1"});
  server.signal(SIGSTOP);
  // Three flights on one connection.
  for (int i = 0; i < 3; ++i) {
    begin({"SET", "key", std::to_string(i)});
    drive();
  }
  ASSERT_EQ(engine->statistics().flights, 3U);
  server.signal(SIGCONT);
  drive_until([&] { return client->counts().failed > 0; });
  server.command({"REPLICAOF", "NO", "ONE"});
  drive_all();
  for (auto& call : calls) EXPECT_TRUE(call.result()) << call.text();
  int left = 0;
  while (client->budget().spend()) ++left;
  EXPECT_EQ(left, 63);
}

OBOL_ON_BOTH_SERVERS(EngineTest);

}}  // namespace obol::testing
