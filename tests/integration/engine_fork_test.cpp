// A process that forks while an engine has calls everywhere: the child's end with `closed`, the parent's go on.
#include <csignal>
#include <latch>
#include <string>
#include <thread>

#include "support/child.hpp"
#include "support/engine_test.hpp"

namespace obol::testing { namespace {

class EngineForkTest : public EngineServerTest {
 protected:
  /// Some in flight, some begun.
  void have_calls_everywhere() {
    connect_and_ask();
    server.signal(SIGSTOP);
    for (int i = 0; i < 20; ++i) begin({"ECHO", std::to_string(i)});
    drive();
    for (int i = 20; i < 40; ++i) begin({"ECHO", std::to_string(i)});
  }
  bool has_closed_all() {
    bool is_right = true;
    for (std::size_t i = 1; i < calls.size(); ++i) {
      is_right = is_right && calls[i].completions == 1 && calls[i].code() == ErrorCode::closed;
    }
    return is_right;
  }
  bool refuses() const {
    KeptCall refused({Command{"PING"}});
    return !engine->begin(refused) && refused.code() == ErrorCode::closed && !refused.has_ended();
  }
  /// In the parent.
  void expect_undisturbed() {
    server.signal(SIGCONT);
    drive_all();
    for (std::size_t i = 1; i < calls.size(); ++i) {
      EXPECT_EQ(calls[i].text(), std::to_string(i - 1));
      EXPECT_EQ(calls[i].completions, 1);
    }
    EXPECT_EQ(client->counts().opened.load(), opened);
  }
  std::string fork(const std::function<bool()>& work) {
    opened = client->counts().opened.load();
    return run_in_child(work);
  }

  std::uint64_t opened = 0;
};

TEST_P(EngineForkTest, CallsOfTheChildEndWithClosedAndThoseOfTheParentGoOn) {
  have_calls_everywhere();
  EXPECT_EQ(fork([&] {
              engine->run_ready();
              engine->run_ready();
              return has_closed_all() && refuses();
            }),
            "");
  expect_undisturbed();
}

TEST_P(EngineForkTest, TheChildMayDestroyTheEngine) {
  have_calls_everywhere();
  EXPECT_EQ(fork([&] {
              engine.reset();
              return has_closed_all();
            }),
            "");
  expect_undisturbed();
}

TEST_P(EngineForkTest, TheChildMayCancelAndClose) {
  have_calls_everywhere();
  EXPECT_EQ(fork([&] {
              engine->cancel(calls[1]);
              engine->cancel(calls.back());
              engine->close();
              engine->run_ready();
              engine.reset();
              for (const auto& call : calls) {
                if (call.completions != 1) return false;
              }
              return true;
            }),
            "");
  expect_undisturbed();
}

TEST_P(EngineForkTest, HandlersInTheChildThatBeginCallsAreToldClosed) {
  have_calls_everywhere();
  EXPECT_EQ(fork([&] {
              bool was_refused = false;
              calls[1].on_complete = [&] { was_refused = refuses(); };
              engine->run_ready();
              return was_refused;
            }),
            "");
  expect_undisturbed();
}

/// Holds the thread that sends it.
class HeldWrite final : public EngineCall {
 public:
  HeldWrite() {
    exchange = {.kind = Exchange::Kind::write, .key = "key"};
    deadline = Deadline::after(patient.total);
  }
  mutable std::latch is_within{1};
  std::latch may_go_on{1};
  bool has_ended = false;

 private:
  void complete() override { has_ended = true; }
  void drop() noexcept override {}
  Command make_write(bool) const override {
    is_within.count_down();
    may_go_on.wait();
    return Command{"SET", "key", "value"};
  }
};

// Lists may be half changed.
TEST_P(EngineForkTest, TheChildLeavesAloneWhatAnotherThreadWasAt) {
  have_calls_everywhere();
  HeldWrite held;
  ASSERT_TRUE(engine->begin(held));
  {
    const std::jthread driver([&] { engine->run_ready(); });
    held.is_within.wait();
    EXPECT_EQ(fork([&] {
                KeptCall told({Command{"PING"}});
                KeptCall told_by_destructor({Command{"PING"}});
                told.on_complete = [&] { engine->deliver(told_by_destructor, nullptr); };
                engine->deliver(told, nullptr);
                engine->run_ready();
                const bool is_told = told.completions == 1 && told_by_destructor.completions == 0;
                engine->cancel(calls[1]);
                const bool has_refused = refuses();
                engine->close();
                const bool is_closed = engine->closed();
                engine.reset();
                return is_told && told_by_destructor.completions == 1 && has_refused && is_closed &&
                       calls[1].completions == 0 && calls.back().completions == 0;
              }),
              "");
    held.may_go_on.count_down();
  }
  expect_undisturbed();
  drive_until([&] { return held.has_ended; });
}

TEST_P(EngineForkTest, TheChildMayHaveAnEngineOfItsOwn) {
  if (!can_fork_beside_busy_threads) GTEST_SKIP() << "the sanitizer starts no thread in a child of several threads";
  have_calls_everywhere();
  server.signal(SIGCONT);
  EXPECT_EQ(fork([&] {
              engine.reset();
              make_engine({});
              KeptCall own({Command{"ECHO", "the child"}});
              if (!engine->begin(own)) return false;
              drive_until([&] { return own.has_ended(); });
              return own.text() == "the child";
            }),
            "");
  drive_all();
  for (std::size_t i = 1; i < calls.size(); ++i) EXPECT_EQ(calls[i].text(), std::to_string(i - 1));
}

OBOL_ON_BOTH_SERVERS(EngineForkTest);

}}  // namespace obol::testing
