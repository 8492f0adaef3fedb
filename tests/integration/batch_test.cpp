// Calls that share a connection: each gets its own answer, and none suffers for another.
#include <csignal>
#include <future>
#include <thread>
#include <vector>

#include "redis/connection/dialer.hpp"
#include "redis/pool/pool.hpp"
#include "support/await.hpp"
#include "support/fault_proxy.hpp"
#include "support/monitor.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

using redis::Command;
using redis::Connection;
using redis::Deadline;
using redis::Pool;
using std::chrono::milliseconds;
using Outcome = std::expected<redis::Reply, redis::CallFailure>;

class Batch : public ServerTest {
 protected:
  static Deadline in(milliseconds time) { return Deadline::after(time); }

  /// One connection for all, or so many.
  std::unique_ptr<Pool> pool_to(const ConnectionOptions& connection, PoolOptions options = {}, std::size_t size = 1) {
    options.size = size;
    options.max_overflow = 0;
    dialer = std::make_unique<redis::Dialer>(connection, 1024 * 1024);
    return std::make_unique<Pool>(
        options, Timeouts{.command = command_timeout}, budget,
        [this](Deadline deadline) {
          ++opened;
          return dialer->dial(deadline);
        },
        [](const Connection&, std::string_view) {});
  }

  static std::future<Outcome> call(Pool& pool, Command command, milliseconds time = long_time,
                                   redis::Sharing sharing = redis::Sharing::allowed) {
    return std::async(std::launch::async, [&pool, command = std::move(command), time, sharing] {
      return pool.call(command, in(time), sharing);
    });
  }

  /// Calls that wait behind a lease, in this order; where they may share, they fly out together when it ends.
  std::vector<std::future<Outcome>> call_together(Pool& pool,
                                                  const std::vector<std::pair<Command, milliseconds>>& calls,
                                                  redis::Sharing sharing = redis::Sharing::allowed) {
    std::vector<std::future<Outcome>> outcomes;
    {
      const auto held = pool.checkout(in(long_time)).value();
      for (const auto& [command, time] : calls) {
        outcomes.push_back(call(pool, command, time, sharing));
        await("the call to wait", [&] { return pool.statistics().waiting == outcomes.size(); });
      }
    }
    return outcomes;
  }

  static Command echo(std::size_t number) { return {"ECHO", std::to_string(number)}; }

  static constexpr milliseconds short_time{1000};
  static constexpr milliseconds long_time{30'000};
  milliseconds command_timeout{20'000};
  redis::RetryBudget budget;
  std::unique_ptr<redis::Dialer> dialer;
  std::atomic<int> opened = 0;
};

TEST_P(Batch, IsOneSendWithOneMarkerBehindIt) {
  const auto pool = pool_to(server.connection());
  pool->checkout(in(long_time)).value();
  Monitor monitor(server);
  auto outcomes = call_together(*pool, {{echo(1), long_time}, {echo(2), long_time}, {echo(3), long_time}});
  for (std::size_t i = 0; i < outcomes.size(); ++i) EXPECT_EQ(outcomes[i].get()->text, std::to_string(i + 1));
  EXPECT_EQ(monitor.commands().size(), 4U);
  EXPECT_EQ(opened, 1);
}

TEST_P(Batch, OfOneHasNoMarker) {
  const auto pool = pool_to(server.connection());
  pool->checkout(in(long_time)).value();
  Monitor monitor(server);
  EXPECT_EQ(pool->call(echo(1), in(long_time))->text, "1");
  EXPECT_EQ(monitor.commands().size(), 1U);
}

TEST_P(Batch, GivesEachOfManyThreadsItsOwnReply) {
  const auto pool = pool_to(server.connection());
  std::vector<std::jthread> threads;
  for (std::size_t thread = 0; thread < 64; ++thread) {
    threads.emplace_back([&pool, thread] {
      for (std::size_t i = 0; i < 200; ++i) {
        ASSERT_EQ(pool->call(echo(thread * 1000 + i), in(long_time))->text, std::to_string(thread * 1000 + i));
      }
    });
  }
}

TEST_P(Batch, LeavesOutACallThatGoesAlone) {
  const auto pool = pool_to(server.connection());
  pool->checkout(in(long_time)).value();
  Monitor monitor(server);
  auto alone = call_together(*pool, {{echo(1), long_time}, {echo(2), long_time}}, redis::Sharing::alone);
  for (std::size_t i = 0; i < alone.size(); ++i) EXPECT_EQ(alone[i].get()->text, std::to_string(i + 1));
  EXPECT_EQ(monitor.commands().size(), 2U);
}

TEST_P(Batch, LeavesLeasesAmongTheCallsInTheirPlace) {
  const auto pool = pool_to(server.connection());
  std::vector<std::jthread> threads;
  for (std::size_t thread = 0; thread < 16; ++thread) {
    threads.emplace_back([&pool, thread] {
      for (std::size_t i = 0; i < 100; ++i) {
        const auto number = thread * 1000 + i;
        if (i % 4 == 0) {
          auto lease = pool->checkout(in(long_time)).value();
          ASSERT_EQ(lease.connection().call(echo(number), in(long_time))->text, std::to_string(number));
        } else {
          ASSERT_EQ(pool->call(echo(number), in(long_time))->text, std::to_string(number));
        }
      }
    });
  }
}

TEST_P(Batch, OutlivesALeaderThatGivesUp) {
  const auto pool = pool_to(server.connection());
  pool->checkout(in(long_time)).value();
  server.signal(SIGSTOP);
  auto outcomes = call_together(*pool, {{echo(1), short_time}, {echo(2), long_time}, {echo(3), long_time}});
  const auto leader = outcomes[0].get();
  server.signal(SIGCONT);
  ASSERT_FALSE(leader.has_value());
  EXPECT_EQ(leader.error().error.code, ErrorCode::timeout);
  EXPECT_EQ(outcomes[1].get()->text, "2");
  EXPECT_EQ(outcomes[2].get()->text, "3");
  EXPECT_EQ(pool->call(echo(4), in(long_time))->text, "4");
  EXPECT_EQ(opened, 1);
}

TEST_P(Batch, OutlivesAFollowerThatGivesUp) {
  const auto pool = pool_to(server.connection());
  pool->checkout(in(long_time)).value();
  server.signal(SIGSTOP);
  auto outcomes = call_together(*pool, {{echo(1), long_time}, {echo(2), short_time}, {echo(3), long_time}});
  const auto start = std::chrono::steady_clock::now();
  const auto follower = outcomes[1].get();
  EXPECT_LT(std::chrono::steady_clock::now() - start, command_timeout / 2);
  server.signal(SIGCONT);
  ASSERT_FALSE(follower.has_value());
  EXPECT_EQ(follower.error().error.code, ErrorCode::timeout);
  EXPECT_EQ(outcomes[0].get()->text, "1");
  EXPECT_EQ(outcomes[2].get()->text, "3");
  EXPECT_EQ(opened, 1);
}

TEST_P(Batch, WhoseCallersAllGaveUpEndsItsConnection) {
  const auto pool = pool_to(server.connection());
  pool->checkout(in(long_time)).value();
  server.signal(SIGSTOP);
  for (auto& outcome : call_together(*pool, {{echo(1), short_time}, {echo(2), short_time}})) {
    EXPECT_EQ(outcome.get().error().error.code, ErrorCode::timeout);
  }
  server.signal(SIGCONT);
  EXPECT_EQ(pool->call(echo(3), in(long_time))->text, "3");
  EXPECT_EQ(opened, 2);
}

TEST_P(Batch, AnswersNobodyWhereAReplyIsMissing) {
  command_timeout = milliseconds(300);
  FaultProxy proxy(server);
  const auto pool = pool_to(proxy.connection());
  pool->checkout(in(long_time)).value();
  proxy.once(Fault::swallow_reply(), "ECHO");
  for (auto& outcome : call_together(*pool, {{echo(1), long_time}, {echo(2), long_time}, {echo(3), long_time}})) {
    const auto reply = outcome.get();
    ASSERT_FALSE(reply.has_value()) << reply->text;
    EXPECT_TRUE(reply.error().may_repeat);
  }
}

TEST_P(Batch, AnswersNobodyWhereAReplyComesTwice) {
  FaultProxy proxy(server);
  const auto pool = pool_to(proxy.connection());
  pool->checkout(in(long_time)).value();
  proxy.once(Fault::duplicate_reply(), "ECHO");
  for (auto& outcome : call_together(*pool, {{echo(1), long_time}, {echo(2), long_time}, {echo(3), long_time}})) {
    const auto reply = outcome.get();
    ASSERT_FALSE(reply.has_value()) << reply->text;
    EXPECT_EQ(reply.error().error.code, ErrorCode::unavailable);
  }
}

TEST_P(Batch, ThatIsLostCostsOneRepeatHoweverManyCallsItHad) {
  FaultProxy proxy(server);
  const auto pool = pool_to(proxy.connection());
  pool->checkout(in(long_time)).value();
  while (budget.spend()) {
  }
  budget.earn(10);  // One repeat.
  proxy.once(Fault::cut_before_reply(), "ECHO");
  std::vector<std::pair<Command, milliseconds>> calls;
  for (std::size_t i = 0; i < 8; ++i) calls.emplace_back(echo(i), long_time);
  for (auto& outcome : call_together(*pool, calls)) EXPECT_TRUE(outcome.get().error().may_repeat);
  EXPECT_FALSE(budget.spend());
}

TEST_P(Batch, FindsAnotherConnectionWhereTheIdleOneWasClosed) {
  const auto pool = pool_to(server.connection());
  pool->checkout(in(long_time)).value();
  server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_EQ(pool->call(echo(1), in(long_time))->text, "1");
  EXPECT_EQ(opened, 2);
}

TEST_P(Batch, ACallTooManyFailsAtOnce) {
  const auto pool = pool_to(server.connection(), {.max_waiting = 2});
  auto held = std::make_optional(pool->checkout(in(long_time)).value());
  auto first = call(*pool, echo(1));
  auto second = call(*pool, echo(2));
  await("both to wait", [&] { return pool->statistics().waiting == 2; });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(pool->call(echo(3), in(long_time)).error().error.code, ErrorCode::pool_timeout);
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(4000));
  held.reset();
  EXPECT_EQ(first.get()->text, "1");
  EXPECT_EQ(second.get()->text, "2");
}

TEST_P(Batch, ACallThatNeverGotAConnectionWasNotSent) {
  const auto pool = pool_to(server.connection());
  auto held = std::make_optional(pool->checkout(in(long_time)).value());
  Monitor monitor(server);
  const auto refused = pool->call(echo(1), in(milliseconds(50)));
  ASSERT_FALSE(refused.has_value());
  EXPECT_FALSE(refused.error().came_from_server);
  held.reset();
  EXPECT_EQ(pool->call(echo(2), in(long_time))->text, "2");
  EXPECT_EQ(monitor.commands().size(), 1U);
}

TEST_P(Batch, ACallThatIsTooLateIsNotSentAndCostsNoConnection) {
  const auto pool = pool_to(server.connection());
  pool->checkout(in(long_time)).value();
  Monitor monitor(server);
  const auto late = pool->call(echo(1), in(milliseconds(0)));
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().error.code, ErrorCode::unavailable);
  EXPECT_FALSE(late.error().came_from_server);
  EXPECT_EQ(pool->call(echo(2), in(long_time))->text, "2");
  EXPECT_EQ(monitor.commands().size(), 1U);
  EXPECT_EQ(opened, 1);
}

// The reply that is over the limit stands in the middle: those in front of it and behind it come by another way.
TEST_P(Batch, SparesTheOthersWhereOneReplyIsTooLarge) {
  server.command({"SET", "large", std::string(2 * 1024 * 1024, 'x')});
  const auto pool = pool_to(server.connection());
  auto outcomes = call_together(
      *pool, {{echo(1), long_time}, {echo(2), long_time}, {{"GET", "large"}, long_time}, {echo(4), long_time}});
  const auto large = outcomes[2].get();
  ASSERT_FALSE(large.has_value());
  EXPECT_EQ(large.error().error.code, ErrorCode::too_large);
  EXPECT_FALSE(large.error().may_repeat);
  for (const std::size_t i : {0U, 1U, 3U}) EXPECT_EQ(outcomes[i].get()->text, std::to_string(i + 1));
  EXPECT_EQ(opened, 2);
}

TEST_P(Batch, SparesTheOthersWhereItsLeadersReplyIsTooLarge) {
  server.command({"SET", "large", std::string(2 * 1024 * 1024, 'x')});
  const auto pool = pool_to(server.connection());
  auto outcomes = call_together(*pool, {{{"GET", "large"}, long_time}, {echo(2), long_time}, {echo(3), long_time}});
  EXPECT_EQ(outcomes[0].get().error().error.code, ErrorCode::too_large);
  EXPECT_EQ(outcomes[1].get()->text, "2");
  EXPECT_EQ(outcomes[2].get()->text, "3");
}

TEST_P(Batch, SparesTheOthersWhereEveryOtherReplyIsTooLarge) {
  server.command({"SET", "large", std::string(2 * 1024 * 1024, 'x')});
  const auto pool = pool_to(server.connection());
  std::vector<std::pair<Command, milliseconds>> calls;
  for (std::size_t i = 0; i < 10; ++i) {
    calls.emplace_back(i % 2 == 0 ? Command{"GET", "large"} : echo(i), long_time);
  }
  auto outcomes = call_together(*pool, calls);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const auto outcome = outcomes[i].get();
    if (i % 2 == 0) {
      ASSERT_FALSE(outcome.has_value());
      EXPECT_EQ(outcome.error().error.code, ErrorCode::too_large);
    } else {
      ASSERT_TRUE(outcome.has_value()) << outcome.error().error.message;
      EXPECT_EQ(outcome->text, std::to_string(i));
    }
  }
}

// An answer that is too large says nothing of the server and of other connections to it.
TEST_P(Batch, WithAReplyThatIsTooLargeEndsNoOtherConnection) {
  server.command({"SET", "large", std::string(2 * 1024 * 1024, 'x')});
  const auto pool = pool_to(server.connection(), {}, 4);
  {
    std::vector<redis::Lease> leases;
    for (int i = 0; i < 4; ++i) leases.push_back(pool->checkout(in(long_time)).value());
  }
  ASSERT_EQ(pool->statistics().idle, 4U);
  EXPECT_EQ(pool->call({"GET", "large"}, in(long_time)).error().error.code, ErrorCode::too_large);
  EXPECT_EQ(pool->statistics().idle, 3U);
}

TEST_P(Batch, WithAnAccountThatIsTooLargeSparesOtherUsers) {
  auto options = options_for(server);
  options.pool.size = 2;
  options.pool.max_overflow = 0;
  options.max_payload_bytes = 4096;
  options.max_reply_bytes = 69'632;
  auto store = RedisStore::connect(options).value();
  for (int i = 0; i < 100; ++i) {
    auto session = new_session("large", std::to_string(i));
    session.extra_payload = std::string(1000, 'x');
    ASSERT_TRUE(store.upsert(session).has_value());
  }
  auto session = new_session("other");
  ASSERT_TRUE(store.upsert(session).has_value());
  std::atomic<bool> is_over = false;
  std::vector<std::jthread> others;
  for (int i = 0; i < 16; ++i) {
    others.emplace_back([&] {
      while (!is_over) {
        const auto found = store.get(session.key());
        ASSERT_TRUE(found.has_value()) << found.error().message;
        ASSERT_EQ(*found, session);
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    const auto all = store.get_all("large", "full");
    ASSERT_FALSE(all.has_value());
    EXPECT_EQ(all.error().code, ErrorCode::too_large);
  }
  is_over = true;
}

TEST_P(Batch, OfLargeCommandsIsMoreThanOneSend) {
  const auto pool = pool_to(server.connection());
  pool->checkout(in(long_time)).value();
  server.command({"CONFIG", "RESETSTAT"});
  const Command large{"SET", "large", std::string(400 * 1024, 'x')};
  const std::vector<std::pair<Command, milliseconds>> calls(4, {large, long_time});
  for (auto& outcome : call_together(*pool, calls)) EXPECT_EQ(outcome.get()->text, "OK");
  // Two and two, each pair with its marker.
  const auto statistics = server.command({"INFO", "commandstats"});
  EXPECT_TRUE(statistics.text.contains("cmdstat_echo:calls=2,")) << statistics.text;
}

OBOL_ON_BOTH_SERVERS(Batch);

}}  // namespace obol::testing
