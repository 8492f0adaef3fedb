// How calls of an engine end, wherever they are: cancelled, with the engine destroyed, or with it closed. Each ends
// once, and the next call works.
#include <csignal>
#include <string>
#include <vector>

#include "base/background_tasks.hpp"
#include "support/await.hpp"
#include "support/blocking_provider.hpp"
#include "support/engine_test.hpp"

namespace obol::testing { namespace {

/// Where the call is.
enum class Stage { begun, half_written, sent, alone, answered, dialing, greeting };
/// What becomes of it there.
enum class Way { cancel, destroy, close };

std::string name_of(Stage stage) {
  switch (stage) {
    case Stage::begun:
      return "Begun";
    case Stage::half_written:
      return "HalfWritten";
    case Stage::sent:
      return "Sent";
    case Stage::alone:
      return "SentAlone";
    case Stage::answered:
      return "Answered";
    case Stage::dialing:
      return "Dialing";
    case Stage::greeting:
      return "Greeting";
  }
  return {};
}

std::string name_of(Way way) {
  switch (way) {
    case Way::cancel:
      return "Cancelled";
    case Way::destroy:
      return "Destroyed";
    case Way::close:
      return "Closed";
  }
  return {};
}

/// Holds what has ended back.
class HoldingExecutor final : public Executor {
 public:
  void post(Completions ready) noexcept override { held.append(std::move(ready)); }
  Completions held;
};

using Case = std::tuple<ServerKind, Stage, Way>;

class EngineEndTest : public ::testing::TestWithParam<Case>, protected EngineDriver {
 protected:
  EngineEndTest() {
    start_engine(
        {.connection = provider.in(server.connection()), .timeouts = patient, .max_reply_bytes = 32 * 1024 * 1024});
  }
  ~EngineEndTest() override {
    let_go();
    engine.reset();
    EXPECT_TRUE(BackgroundTasks::await_none(std::chrono::minutes(1)));
  }

  /// The call that all is about.
  void begin_it(std::vector<Command> commands) {
    it = std::make_unique<KeptCall>(std::move(commands));
    if (stage == Stage::alone) it->exchange.kind = Exchange::Kind::exclusive;
    if (stage == Stage::answered) it->executor = &executor;
    ASSERT_TRUE(engine->begin(*it)) << it->text();
  }

  void reach_stage() {
    switch (stage) {
      case Stage::begun:
        return begin_it({Command{"ECHO", "it"}});
      case Stage::half_written:
        connect_main();
        server.signal(SIGSTOP);
        begin_it({Command{"ECHO", std::string(8'000'000, 'x')}});
        return drive();
      case Stage::sent:
        connect_main();
        server.signal(SIGSTOP);
        begin_it({Command{"ECHO", "it"}});
        return drive();
      case Stage::alone:
        connect_alone();
        server.signal(SIGSTOP);
        begin_it({Command{"ECHO", "it"}});
        return drive();
      case Stage::answered:
        begin_it({Command{"ECHO", "it"}});
        return drive_until([&] { return !executor.held.empty(); });
      case Stage::dialing:
        provider.block();
        begin_it({Command{"ECHO", "it"}});
        drive();
        return await("a connection to be opened", [this] { return provider.asked() > 1; });
      case Stage::greeting:
        server.signal(SIGSTOP);
        begin_it({Command{"ECHO", "it"}});
        drive();
        return await("a connection to be opened", [this] { return provider.asked() > 1; });
    }
  }

  void connect_main() {
    begin({"PING"});
    drive_all();
  }
  void connect_alone() {
    auto& first = calls.emplace_back(std::vector{Command{"PING"}});
    first.exchange.kind = Exchange::Kind::exclusive;
    ASSERT_TRUE(engine->begin(first));
    drive_all();
  }

  void end_it() {
    switch (way) {
      case Way::cancel:
        return engine->cancel(*it);
      case Way::destroy:
        return engine.reset();
      case Way::close:
        return engine->close();
    }
  }

  /// What was stopped and blocked goes on.
  void let_go() {
    server.signal(SIGCONT);
    provider.release();
  }

  bool is_in_flight() const { return stage == Stage::half_written || stage == Stage::sent || stage == Stage::alone; }

  /// Success if it is answered all the same.
  std::error_code expected_code() const {
    if (stage == Stage::answered) return {};
    if (way == Way::cancel) return ErrorCode::cancelled;
    if (way == Way::close && is_in_flight()) return {};
    return ErrorCode::closed;
  }

  void await_its_end() {
    if (stage == Stage::answered) {
      EXPECT_FALSE(it->has_ended());
      executor.held.run();
    }
    if (engine) drive_until([&] { return it->has_ended(); });
    EXPECT_EQ(it->completions, 1);
    EXPECT_EQ(it->code(), expected_code()) << it->text();
  }

  const Stage stage = std::get<1>(GetParam());
  const Way way = std::get<2>(GetParam());
  TestServer server{std::get<0>(GetParam())};
  BlockingProvider provider;  ///< Asked once by the client, when it was started.
  HoldingExecutor executor;
  std::unique_ptr<KeptCall> it;
};

TEST_P(EngineEndTest, EndsOnceAndTheNextCallWorks) {
  reach_stage();
  ASSERT_FALSE(HasFatalFailure());
  end_it();
  // Only what is still answered needs the server.
  if (!expected_code()) let_go();
  await_its_end();
  let_go();
  if (way != Way::cancel) make_engine({});
  auto& next = begin({"ECHO", "next"});
  drive_until([&] { return next.has_ended(); });
  EXPECT_EQ(next.text(), "next");
  EXPECT_EQ(it->completions, 1);
}

std::string name_of_case(const ::testing::TestParamInfo<Case>& info) {
  const auto [kind, stage, way] = info.param;
  return testing::name_of(kind) + name_of(stage) + name_of(way);
}

INSTANTIATE_TEST_SUITE_P(On, EngineEndTest,
                         ::testing::Combine(::testing::Values(ServerKind::redis, ServerKind::valkey),
                                            ::testing::Values(Stage::begun, Stage::half_written, Stage::sent,
                                                              Stage::alone, Stage::answered, Stage::dialing,
                                                              Stage::greeting),
                                            ::testing::Values(Way::cancel, Way::destroy, Way::close)),
                         name_of_case);

class EngineCrowdTest : public EngineServerTest {};

// What was given up in flight goes on to count, since the server still works on it.
TEST_P(EngineCrowdTest, WhatIsRefusedIsRefusedAtOnceAndWhatWasGivenUpIsCountedUntilItIsAnswered) {
  constexpr std::size_t most = 10'000;
  connect_and_ask({.max_waiting = most});
  server.signal(SIGSTOP);
  std::size_t refused = 0;
  KeptCall one_too_many({Command{"PING"}});
  for (std::size_t i = 0; i < most; ++i) begin({"PING"});
  for (std::size_t i = most; i < 100'000; ++i) {
    if (!engine->begin(one_too_many) && one_too_many.code() == ErrorCode::pool_timeout) ++refused;
  }
  EXPECT_EQ(refused, 90'000U);
  drive_until([&] { return engine->statistics().in_flight == most; });
  for (auto& call : calls) engine->cancel(call);
  drive_all();
  for (std::size_t i = 1; i <= most; ++i) ASSERT_EQ(calls[i].code(), ErrorCode::cancelled);
  EXPECT_FALSE(engine->begin(one_too_many));
  EXPECT_EQ(one_too_many.code(), ErrorCode::pool_timeout);
  server.signal(SIGCONT);
  drive_until([&] { return engine->statistics().in_flight == 0; });
  for (std::size_t i = 0; i < most; ++i) begin({"PING"});
  drive_all();
}

TEST_P(EngineCrowdTest, WhatIsCancelledBeforeItIsSentIsCountedNoLonger) {
  connect_and_ask({.max_waiting = 10});
  for (int round = 0; round < 3; ++round) {
    const auto first = calls.size();
    for (int i = 0; i < 10; ++i) begin({"PING"});
    for (auto i = first; i < calls.size(); ++i) engine->cancel(calls[i]);
    drive_all();
  }
  EXPECT_EQ(engine->statistics().in_flight, 0U);
}

OBOL_ON_BOTH_SERVERS(EngineCrowdTest);

}}  // namespace obol::testing
