// The engine on a real server: each call gets its own reply, in time, whatever happens on the way.
#include "redis/loop/engine.hpp"

#include <poll.h>

#include <csignal>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "redis/loop/engine_call.hpp"
#include "store/session_commands.hpp"
#include "support/await.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

using redis::Client;
using redis::ClientOptions;
using redis::Command;
using redis::Deadline;
using redis::Engine;
using redis::EngineCall;
using redis::Exchange;
using std::chrono::milliseconds;

/// Keeps what came of it.
class KeptCall final : public EngineCall {
 public:
  explicit KeptCall(std::vector<Command> commands, milliseconds time = milliseconds(10'000))
      : commands_(std::move(commands)) {
    exchange = {.key = "key", .commands = commands_};
    deadline = Deadline::after(time);
  }

  int completions = 0;
  bool has_ended() const { return completions > 0; }
  std::string text() { return result() ? std::string(result()->replies.front().text) : result().error().message; }
  std::error_code code() { return result() ? std::error_code() : result().error().code; }

 private:
  void complete() override { ++completions; }
  void drop() noexcept override {}
  Command make_write(bool) const override { return commands_.front(); }

  const std::vector<Command> commands_;
};

class EngineTest : public ServerTest {
 protected:
  void connect(const ConnectionOptions& connection, PoolOptions pool = {}, Timeouts timeouts = {}) {
    client = std::make_shared<Client>(
        ClientOptions{.connection = connection, .pool = pool, .timeouts = timeouts, .max_reply_bytes = 1024 * 1024},
        session_functions());
    ASSERT_TRUE(client->start("key", [](std::string_view) { return Command{"PING"}; }));
    auto made = Engine::create(client, {.pool = pool, .timeouts = timeouts});
    ASSERT_TRUE(made) << made.error().message;
    engine = std::move(*made);
  }

  KeptCall& begin(std::initializer_list<std::string_view> command, milliseconds time = milliseconds(10'000)) {
    auto& call = calls.emplace_back(std::vector{Command(command)}, time);
    EXPECT_TRUE(engine->begin(call)) << call.result().error().message;
    return call;
  }

  /// One round, once there is something to do.
  void drive() const {
    pollfd waited{.fd = engine->descriptor(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&waited, 1, 20'000), 1) << "the engine has nothing to do";
    engine->run_ready();
  }
  template <class IsDone>
  void drive_until(IsDone is_done) const {
    while (!is_done() && !HasFatalFailure()) drive();
  }
  void drive_all() {
    for (auto& call : calls) drive_until([&] { return call.has_ended(); });
  }

  std::shared_ptr<Client> client;
  std::deque<KeptCall> calls;
  std::unique_ptr<Engine> engine;
};

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
  auto& call = begin({"PING"}, milliseconds(200));
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
  const std::string large(600'000, 'x');
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

OBOL_ON_BOTH_SERVERS(EngineTest);

}}  // namespace obol::testing
