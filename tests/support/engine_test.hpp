// The engine on real servers: calls that keep what came of them, and a loop that drives it.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "redis/client/client.hpp"
#include "redis/loop/engine.hpp"
#include "redis/loop/engine_call.hpp"
#include "store/session_commands.hpp"
#include "support/server_test.hpp"

namespace obol::testing {

using redis::Client;
using redis::ClientOptions;
using redis::Command;
using redis::Deadline;
using redis::Engine;
using redis::EngineCall;
using redis::Exchange;
using std::chrono::milliseconds;

/// For tests that are not about time, on a machine that may be busy.
inline constexpr Timeouts patient{
    .connect = milliseconds(20'000), .command = milliseconds(40'000), .total = milliseconds(60'000)};

/// Keeps what came of it.
class KeptCall final : public EngineCall {
 public:
  explicit KeptCall(std::vector<Command> commands, milliseconds time = patient.total) : commands_(std::move(commands)) {
    exchange = {.key = "key", .commands = commands_};
    deadline = Deadline::after(time);
  }

  int completions = 0;
  std::function<void()> on_complete{};  ///< What its handler does.
  bool has_ended() const { return completions > 0; }
  std::string text() { return result() ? std::string(result()->replies.front().text) : result().error().message; }
  std::error_code code() { return result() ? std::error_code() : result().error().code; }

 private:
  void complete() override {
    ++completions;
    if (on_complete) on_complete();
  }
  void drop() noexcept override {}
  Command make_write(bool) const override { return commands_.front(); }

  const std::vector<Command> commands_;
};

/// Drives an engine.
class EngineDriver {
 public:
  /// A call waits for a connection as long as it lasts.
  void start_engine(ClientOptions options) {
    options.pool.checkout_timeout = options.timeouts.total;
    client = std::make_shared<Client>(options, session_functions());
    const auto started = client->start(
        "key", [](std::string_view) { return Command{"PING"}; },
        [](std::string_view) { return std::vector<redis::Capability>(); });
    ASSERT_TRUE(started) << started.error().message;
    make_engine(options.pool);
  }
  void make_engine(const PoolOptions& pool) {
    auto made = Engine::create(client, pool);
    ASSERT_TRUE(made) << made.error().message;
    engine = std::move(*made);
  }

  KeptCall& begin(std::initializer_list<std::string_view> command, milliseconds time = patient.total) {
    auto& call = calls.emplace_back(std::vector{Command(command)}, time);
    EXPECT_TRUE(engine->begin(call)) << call.result().error().message;
    return call;
  }

  /// One round, once there is something to do.
  void drive() const {
    pollfd waited{.fd = engine->descriptor(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&waited, 1, 60'000), 1) << "the engine has nothing to do";
    engine->run_ready();
  }
  template <class IsDone>
  void drive_until(IsDone is_done) const {
    while (!is_done() && !::testing::Test::HasFatalFailure()) drive();
  }
  void drive_all() {
    for (auto& call : calls) drive_until([&] { return call.has_ended(); });
  }

  std::shared_ptr<Client> client;
  std::deque<KeptCall> calls;
  std::unique_ptr<Engine> engine;
};

/// On one server.
class EngineServerTest : public ServerTest, protected EngineDriver {
 protected:
  void connect(const ConnectionOptions& connection, PoolOptions pool = {}, Timeouts timeouts = patient) {
    start_engine({.connection = connection, .pool = pool, .timeouts = timeouts, .max_reply_bytes = 2 * 1024 * 1024});
  }
  /// With a connection that is open.
  void connect_and_ask(PoolOptions pool = {}, Timeouts timeouts = patient) {
    connect(server.connection(), pool, timeouts);
    begin({"PING"});
    drive_all();
  }
};

}  // namespace obol::testing
