// The pool's rules, on a real server.
#include "redis/pool/pool.hpp"

#include <fcntl.h>
#include <poll.h>

#include <atomic>
#include <future>
#include <new>
#include <optional>
#include <thread>

#include "redis/connection/dialer.hpp"
#include "support/await.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

using redis::Connection;
using redis::Deadline;
using redis::Pool;
using std::chrono::milliseconds;

class PoolTest : public ServerTest {
 protected:
  static Deadline soon() { return Deadline::after(std::chrono::seconds(10)); }

  std::unique_ptr<Pool> pool_with(PoolOptions options) {
    return std::make_unique<Pool>(
        options, Timeouts{.total = patience}, budget,
        [this](Deadline deadline) { return redis::Dialer(server.connection(), 1024 * 1024).dial(deadline); },
        [this](const Connection&, std::string_view reason) { ++(reason.empty() ? opened : closed); });
  }

  static int descriptor_of(redis::Lease& lease) { return lease.connection().descriptor(); }

  milliseconds patience{60'000};
  redis::RetryBudget budget;
  std::atomic<int> opened = 0;
  std::atomic<int> closed = 0;
};

TEST_P(PoolTest, LendsTheConnectionUsedLast) {
  const auto pool = pool_with({.size = 3});
  int last = -1;
  {
    auto first = pool->checkout(soon()).value();
    auto second = pool->checkout(soon()).value();
    EXPECT_NE(descriptor_of(first), descriptor_of(second));
    last = descriptor_of(first);  // Destroyed after the second.
  }
  auto again = pool->checkout(soon()).value();
  EXPECT_EQ(descriptor_of(again), last);
  EXPECT_EQ(opened, 2);
}

TEST_P(PoolTest, ClosesOverflowThatIsNoLongerUsed) {
  const auto pool = pool_with({.size = 1, .max_overflow = 2});
  {
    auto first = pool->checkout(soon()).value();
    auto second = pool->checkout(soon()).value();
    auto third = pool->checkout(soon()).value();
  }
  EXPECT_EQ(closed, 0);
  const auto deadline = soon();
  while (closed < 2) {
    ASSERT_FALSE(deadline.passed());
    pool->checkout(deadline).value();
  }
  EXPECT_EQ(opened, 3);
}

// What was asked for over it may still be answered, and would reach the next caller.
TEST_P(PoolTest, ClosesAConnectionWhoseUseAnExceptionEnded) {
  const auto pool = pool_with({.size = 1, .max_overflow = 0});
  const auto use = [&pool] {
    auto lease = pool->checkout(soon()).value();
    ASSERT_TRUE(lease.connection().send(redis::Command{"PING"}.bytes(), soon()).has_value());
    throw std::bad_alloc();
  };
  EXPECT_THROW(use(), std::bad_alloc);
  EXPECT_EQ(closed, 1);
  EXPECT_EQ(pool->checkout(soon())->connection().call({"ECHO", "own"}, soon())->text, "own");
}

TEST_P(PoolTest, IsAPoolTimeoutWhenAllStayBusy) {
  const auto pool = pool_with({.size = 1, .max_overflow = 0, .checkout_timeout = milliseconds(50)});
  const auto held = pool->checkout(soon()).value();
  const auto refused = pool->checkout(soon());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::pool_timeout);
}

TEST_P(PoolTest, HandsAReturnedConnectionToTheOneThatWaits) {
  const auto pool = pool_with({.size = 1, .max_overflow = 0});
  std::optional<redis::Lease> held(pool->checkout(soon()).value());
  auto waiting = std::async(std::launch::async, [&] { return pool->checkout(soon()).has_value(); });
  await("the other to wait", [&] { return pool->statistics().waiting == 1; });
  held.reset();
  EXPECT_TRUE(waiting.get());
  EXPECT_EQ(opened, 1);
}

TEST_P(PoolTest, LetsAWaiterOpenOneInPlaceOfADiscardedConnection) {
  const auto pool = pool_with({.size = 1, .max_overflow = 0});
  std::optional<redis::Lease> held(pool->checkout(soon()).value());
  auto waiting = std::async(std::launch::async, [&] { return pool->checkout(soon()).has_value(); });
  await("the other to wait", [&] { return pool->statistics().waiting == 1; });
  held->discard("broken");
  held.reset();
  EXPECT_TRUE(waiting.get());
  EXPECT_EQ(opened, 2);
}

TEST_P(PoolTest, ReplacesAConnectionTheServerClosed) {
  const auto pool = pool_with({.size = 1});
  pool->checkout(soon()).value();
  server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  auto lease = pool->checkout(soon()).value();
  EXPECT_TRUE(lease.connection().call(redis::Command{"PING"}, soon()).has_value());
  EXPECT_EQ(opened, 2);
}

TEST_P(PoolTest, ReplacesAConnectionThatTheServerClosedBeforeItWasHandedOn) {
  const auto pool = pool_with({.size = 1, .max_overflow = 0});
  std::optional<redis::Lease> held(pool->checkout(soon()).value());
  auto waiting = std::async(std::launch::async, [&] { return pool->checkout(soon()).has_value(); });
  await("the other to wait", [&] { return pool->statistics().waiting == 1; });
  server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  held.reset();
  EXPECT_TRUE(waiting.get());
  EXPECT_EQ(opened, 2);
}

TEST_P(PoolTest, ReplacesAConnectionWithUnreadBytes) {
  const auto pool = pool_with({.size = 1});
  int descriptor = -1;
  {
    auto lease = pool->checkout(soon()).value();
    descriptor = descriptor_of(lease);
    (void)lease.connection().call(redis::Command{"SUBSCRIBE", "news"}, Deadline::after(milliseconds(100)));
  }
  server.command({"PUBLISH", "news", "unasked"});
  pollfd arrival{.fd = descriptor, .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&arrival, 1, 10'000), 1);
  auto lease = pool->checkout(soon()).value();
  EXPECT_EQ(lease.connection().call(redis::Command{"ECHO", "mine"}, soon())->text, "mine");
  EXPECT_EQ(opened, 2);
}

TEST_P(PoolTest, ReplacesConnectionsThatAreTooOldOrUnusedForTooLong) {
  for (const auto& options :
       {PoolOptions{.lifetime_limit = milliseconds(500)}, PoolOptions{.idle_limit = milliseconds(500)}}) {
    opened = 0;
    const auto pool = pool_with(options);
    pool->checkout(soon()).value();
    std::this_thread::sleep_for(milliseconds(600));
    pool->checkout(soon()).value();
    EXPECT_EQ(opened, 2);
  }
}

TEST_P(PoolTest, FreesItsSlotWhenOpeningFails) {
  const auto pool = pool_with({.size = 1, .max_overflow = 0, .checkout_timeout = milliseconds(50)});
  server.stop();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pool->checkout(soon()).error().code, ErrorCode::unavailable);
  server.start();
  const auto deadline = soon();
  while (!pool->checkout(deadline)) ASSERT_FALSE(deadline.passed());
}

TEST_P(PoolTest, WaitsOutAnOutageThatIsShorterThanItsPatience) {
  const auto pool = pool_with({.size = 1});
  server.stop();
  auto waiting = std::async(std::launch::async, [&] { return pool->checkout(soon()).has_value(); });
  EXPECT_EQ(waiting.wait_for(milliseconds(50)), std::future_status::timeout);
  server.start();
  EXPECT_TRUE(waiting.get());
}

TEST_P(PoolTest, FailsAtOnceInAnOutageThatIsLongerThanItsPatience) {
  patience = milliseconds(100);
  const auto pool = pool_with({.size = 1});
  server.stop();
  EXPECT_EQ(pool->checkout(soon()).error().code, ErrorCode::unavailable);
  const auto start = Deadline::Time::now();
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(pool->checkout(soon()).has_value());
  EXPECT_LT(Deadline::Time::now() - start, milliseconds(5000));
}

TEST_P(PoolTest, NeverStormsADeadServer) {
  server.stop();
  std::atomic<int> attempts = 0;
  std::atomic<int> at_once = 0;
  Pool pool(
      {}, Timeouts{.total = patience}, budget,
      [&](Deadline deadline) {
        EXPECT_EQ(++at_once, 1);
        ++attempts;
        std::this_thread::sleep_for(milliseconds(2));  // As a server far away: others would dial meanwhile.
        auto connection = redis::Dialer(server.connection(), 1024).dial(deadline);
        --at_once;
        return connection;
      },
      [](const Connection&, std::string_view) {});
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 32; ++i) {
      threads.emplace_back([&] { EXPECT_FALSE(pool.checkout(Deadline::after(milliseconds(1000))).has_value()); });
    }
  }
  // One thread alone makes about as many.
  EXPECT_LT(attempts, 40);
}

TEST_P(PoolTest, DropsEveryOtherConnectionWithOneThatWasLost) {
  const auto pool = pool_with({.size = 3});
  {
    auto idle = pool->checkout(soon()).value();
    std::optional<redis::Lease> lent(pool->checkout(soon()).value());
    auto lost = pool->checkout(soon()).value();
    {
      const auto returned = std::move(idle);
    }
    lost.discard_all("lost");
    EXPECT_EQ(closed, 2);
    lent.reset();
    EXPECT_EQ(closed, 3);
  }
  pool->checkout(soon()).value();
  EXPECT_EQ(opened, 4);
}

TEST_P(PoolTest, DropsEveryOtherConnectionWithOneThatCallsItselfReadOnly) {
  const auto pool = pool_with({.size = 3});
  std::optional<redis::Lease> lent(pool->checkout(soon()).value());
  {
    auto one = pool->checkout(soon()).value();
    auto other = pool->checkout(soon()).value();
  }
  server.command({"REPLICAOF", "127.0.0.1", "1"});
  const auto written = pool->call(redis::Command{"SET", "key", "value"}, soon());
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().error.code, ErrorCode::unavailable);
  EXPECT_EQ(closed, 2);
  lent.reset();
  EXPECT_EQ(closed, 3);
}

TEST_P(PoolTest, ANewConnectionSurvivesTheLossOfAnOldOne) {
  const auto pool = pool_with({.size = 3});
  auto first = pool->checkout(soon()).value();
  auto second = pool->checkout(soon()).value();
  first.discard_all("lost");
  pool->checkout(soon()).value();
  second.discard_all("lost, too");
  pool->checkout(soon()).value();
  EXPECT_EQ(opened, 3);
}

TEST_P(PoolTest, TellsEveryWaitingThreadThatItCloses) {
  const auto pool = pool_with({.size = 1, .max_overflow = 0});
  std::optional<redis::Lease> held(pool->checkout(soon()).value());
  std::atomic<int> told = 0;
  std::vector<std::jthread> waiting;
  for (int i = 0; i < 16; ++i) {
    waiting.emplace_back([&] {
      const auto lease = pool->checkout(soon());
      if (!lease && lease.error().code == ErrorCode::closed) ++told;
    });
  }
  pool->close();
  waiting.clear();
  EXPECT_EQ(told, 16);
  held.reset();
  EXPECT_EQ(closed, 1);
}

TEST_P(PoolTest, NeverLendsMoreThanItsSizeAndOverflowToManyThreads) {
  const auto pool = pool_with({.size = 2, .max_overflow = 1});
  std::atomic<int> lent = 0;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 16; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        auto lease = pool->checkout(soon()).value();
        EXPECT_LE(++lent, 3);
        EXPECT_TRUE(lease.connection().call(redis::Command{"PING"}, soon()).has_value());
        --lent;
      }
    });
  }
}

TEST_P(PoolTest, ConnectionsAreClosedOnExec) {
  const auto pool = pool_with({.size = 1});
  auto lease = pool->checkout(soon()).value();
  EXPECT_NE(::fcntl(descriptor_of(lease), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_P(PoolTest, AWriteToAConnectionThatIsGoneIsAnErrorAndNoSignal) {
  auto connection = redis::Dialer(server.connection(), 1024 * 1024).dial(soon()).value();
  server.stop();
  for (int i = 0; i < 3; ++i) {
    const auto reply = connection.call(redis::Command{"PING"}, soon());
    ASSERT_FALSE(reply.has_value());
    EXPECT_EQ(reply.error().code, ErrorCode::unavailable);
  }
}

OBOL_ON_BOTH_SERVERS(PoolTest);

}}  // namespace obol::testing
