// The engine without memory: a call that finds none ends with an error, no other call notices, and nothing is lost.
#include "support/engine_test.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "failing_allocation.hpp"

namespace obol::testing { namespace {

class EngineNoMemory : public EngineServerTest {
 protected:
  static constexpr std::size_t crowd = 8;

  struct Crowd {
    std::vector<std::unique_ptr<KeptCall>> calls;
    std::vector<std::string> keys = std::vector<std::string>(3, "key");
  };

  /// Calls of several kinds; each can tell its reply from those of others.
  std::unique_ptr<Crowd> make_crowd() const {
    auto made = std::make_unique<Crowd>();
    for (std::size_t i = 0; i < crowd; ++i) {
      const auto own = "a text that is too long to be held without memory " + std::to_string(i);
      const Command echo{"ECHO", own};
      auto& call = made->calls.emplace_back(std::make_unique<KeptCall>(std::vector{echo, echo, echo}));
      auto& exchange = call->exchange;
      switch (i % 4) {
        case 0:
        case 1:
          exchange.commands = exchange.commands.first(1);
          break;
        case 2:
          exchange.kind = Exchange::Kind::exclusive;
          break;
        default:
          exchange.kind = Exchange::Kind::each;
          exchange.keys = made->keys;
      }
    }
    return made;
  }

  static bool is_over(const Crowd& made) {
    return std::ranges::all_of(made.calls, [](const auto& call) { return call->has_ended(); });
  }

  /// Each has its own replies, or says what it lacked.
  static void expect_own_replies(const Crowd& made) {
    for (std::size_t i = 0; i < crowd; ++i) {
      auto& call = *made.calls[i];
      EXPECT_EQ(call.completions, 1);
      if (!call.result()) {
        EXPECT_EQ(call.code(), ErrorCode::internal) << call.text();
        continue;
      }
      for (const auto& reply : call.result()->replies) EXPECT_TRUE(reply.text.ends_with(std::to_string(i)));
    }
  }

  /// That nothing is counted for ever, and every call works again.
  void expect_well() {
    const auto after = make_crowd();
    for (const auto& call : after->calls) ASSERT_TRUE(engine->begin(*call)) << call->text();
    drive_until([&] { return is_over(*after); });
    for (const auto& call : after->calls) EXPECT_TRUE(call->result()) << call->text();
    drive_until([&] { return engine->statistics().in_flight == 0; });
  }

  /// Again and again, with a later allocation failing, until nothing fails any more. `prepare` comes before each.
  void fail_each(Failing failing, const std::function<void()>& prepare) {
    for (std::size_t passed = 0;; ++passed) {
      SCOPED_TRACE(passed);
      ASSERT_LT(passed, most_allocations);
      prepare();
      const auto made = make_crowd();
      bool has_failed = false;
      {
        const FailingAllocation allocation(passed, failing);
        for (const auto& call : made->calls) (void)engine->begin(*call);
        const auto must_end = [&] { return is_over(*made) || (failing == Failing::once && allocation.has_failed()); };
        for (int round = 0; round < 200 && !must_end(); ++round) {
          pollfd waited{.fd = engine->descriptor(), .events = POLLIN, .revents = 0};
          ::poll(&waited, 1, 50);
          engine->run_ready();
        }
        has_failed = allocation.has_failed();
      }
      drive_until([&] { return is_over(*made); });
      expect_own_replies(*made);
      expect_well();
      if (!has_failed || HasFailure()) return;
    }
  }

  /// Each call counts its commands: what leaks here is soon missing.
  static constexpr PoolOptions pool{.max_waiting = 20};
};

TEST_P(EngineNoMemory, HurtsNobodyOnOpenConnections) {
  connect(server.connection(), pool);
  for (const auto failing : {Failing::once, Failing::from_then_on}) fail_each(failing, [] {});
}

TEST_P(EngineNoMemory, HurtsNobodyWhoWaitsForAConnection) {
  for (const auto failing : {Failing::once, Failing::from_then_on}) {
    fail_each(failing, [&] {
      engine.reset();
      if (!client) return connect(server.connection(), pool);
      make_engine(pool);
    });
  }
}

TEST_P(EngineNoMemory, HurtsNobodyWhoseConnectionIsLost) {
  connect(server.connection(), pool);
  for (const auto failing : {Failing::once, Failing::from_then_on}) {
    fail_each(failing, [&] { server.command({"CLIENT", "KILL", "TYPE", "normal"}); });
  }
}

TEST_P(EngineNoMemory, ACancelledCallEndsOnceAllTheSame) {
  connect(server.connection(), pool);
  for (std::size_t passed = 0; passed < 20; ++passed) {
    const auto made = make_crowd();
    for (const auto& call : made->calls) ASSERT_TRUE(engine->begin(*call));
    {
      const FailingAllocation allocation(passed, Failing::from_then_on);
      for (const auto& call : made->calls) engine->cancel(*call);
      engine->run_ready();
    }
    drive_until([&] { return is_over(*made); });
    for (const auto& call : made->calls) EXPECT_EQ(call->completions, 1);
    expect_well();
  }
}

OBOL_ON_BOTH_SERVERS(EngineNoMemory);

}}  // namespace obol::testing
