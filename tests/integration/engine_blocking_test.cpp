// The thread that drives an engine waits for nothing, whatever hangs: each hang here lasts until the test ends it, and
// meanwhile every round returns and other calls go on.
#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <string>
#include <thread>

#include "support/await.hpp"
#include "support/blocking_provider.hpp"
#include "support/engine_test.hpp"

namespace obol::testing { namespace {

using std::chrono::seconds;

/// A round that takes so long has waited for something.
constexpr seconds most_for_a_round{20};
/// Then what hangs is released, so that the test ends.
constexpr seconds gives_up_after{60};

class EngineBlockingTest : public ServerTest, protected EngineDriver {
 protected:
  ~EngineBlockingTest() override {
    {
      const std::scoped_lock lock(mutex_);
      has_ended_ = true;
    }
    ended_.notify_all();
    watchdog_.join();
    release();
  }

  void connect() {
    start_engine(
        {.connection = provider.in(server.connection()), .timeouts = patient, .max_reply_bytes = 32 * 1024 * 1024});
  }
  void connect_and_ask() {
    connect();
    begin({"PING"});
    drive_timed_until([&] { return calls.back().has_ended(); });
  }
  void release() {
    provider.release();
    server.signal(SIGCONT);
  }
  /// Rounds that are due, and some for nothing.
  template <class IsDone>
  void drive_timed_until(IsDone is_done) {
    while (!is_done()) {
      const auto begun = Deadline::Time::now();
      engine->run_ready();
      longest_ = std::max(longest_, Deadline::Time::now() - begun);
      ASSERT_LT(longest_, most_for_a_round);
      pollfd waited{.fd = engine->descriptor(), .events = POLLIN, .revents = 0};
      ::poll(&waited, 1, 5);
    }
  }
  void drive_timed_rounds(int rounds) {
    drive_timed_until([&rounds] { return rounds-- == 0; });
  }

  BlockingProvider provider;

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  bool has_ended_ = false;
  Deadline::Time::duration longest_{};
  std::thread watchdog_{[this] {
    std::unique_lock lock(mutex_);
    if (!ended_.wait_for(lock, gives_up_after, [this] { return has_ended_; })) release();
  }};
};

TEST_P(EngineBlockingTest, AServerThatReadsNothingBlocksNoRound) {
  connect_and_ask();
  server.signal(SIGSTOP);
  const std::string large(1'000'000, 'x');
  for (int i = 0; i < 20; ++i) begin({"ECHO", large});
  for (int i = 0; i < 20; ++i) {
    auto& call = calls.emplace_back(std::vector{Command{"ECHO", large}});
    call.exchange.kind = Exchange::Kind::exclusive;
    ASSERT_TRUE(engine->begin(call));
  }
  drive_timed_rounds(20);
  EXPECT_FALSE(calls.back().has_ended());
  server.signal(SIGCONT);
  for (auto& call : calls) drive_timed_until([&] { return call.has_ended(); });
  for (std::size_t i = 1; i < calls.size(); ++i) EXPECT_EQ(calls[i].text().size(), large.size()) << calls[i].text();
}

TEST_P(EngineBlockingTest, AServerThatDoesNotGreetBlocksNoRound) {
  connect();
  server.signal(SIGSTOP);
  auto& waits = begin({"PING"});
  auto& given_up = begin({"PING"}, milliseconds(50));
  drive_timed_until([&] { return given_up.has_ended(); });
  drive_timed_rounds(5);
  EXPECT_FALSE(waits.has_ended());
  server.signal(SIGCONT);
  drive_timed_until([&] { return waits.has_ended(); });
  EXPECT_EQ(waits.text(), "PONG");
}

TEST_P(EngineBlockingTest, AProviderThatHangsWhileAConnectionIsOpenedBlocksNoRound) {
  connect_and_ask();
  provider.block();
  // It needs a connection of its own; the others have theirs.
  auto& alone = calls.emplace_back(std::vector{Command{"ECHO", "alone"}});
  alone.exchange.kind = Exchange::Kind::exclusive;
  ASSERT_TRUE(engine->begin(alone));
  for (int i = 0; i < 20; ++i) {
    auto& other = begin({"ECHO", "other"});
    drive_timed_until([&] { return other.has_ended(); });
    EXPECT_EQ(other.text(), "other");
  }
  EXPECT_FALSE(alone.has_ended());
  provider.release();
  drive_timed_until([&] { return alone.has_ended(); });
  EXPECT_EQ(alone.text(), "alone");
}

TEST_P(EngineBlockingTest, AProviderThatHangsWhileCredentialsAreRenewedHoldsNoCallUp) {
  provider.limit_credentials_to(milliseconds(200));
  connect_and_ask();
  const auto asked = provider.asked();
  provider.block();
  const auto call = [&] {
    auto& other = begin({"ECHO", "other"});
    drive_timed_until([&] { return other.has_ended(); });
    EXPECT_EQ(other.text(), "other");
  };
  while (provider.asked() == asked) call();
  for (int i = 0; i < 20; ++i) call();
  EXPECT_EQ(provider.asked(), asked + 1);
}

TEST_P(EngineBlockingTest, AnEngineIsDestroyedWhileSomethingHangs) {
  connect_and_ask();
  provider.block();
  auto& alone = calls.emplace_back(std::vector{Command{"ECHO", "alone"}});
  alone.exchange.kind = Exchange::Kind::exclusive;
  ASSERT_TRUE(engine->begin(alone));
  const auto asked = provider.asked();
  drive_timed_rounds(1);
  await("a connection to be opened", [&] { return provider.asked() > asked; });
  engine.reset();
  EXPECT_EQ(alone.code(), ErrorCode::closed);
  EXPECT_EQ(alone.completions, 1);
}

OBOL_ON_BOTH_SERVERS(EngineBlockingTest);

}}  // namespace obol::testing
