// Watched sessions without memory: in the thread that reads the server, and in those that watch and close.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "failing_allocation.hpp"
#include "obol/session_watch.hpp"
#include "support/server_test.hpp"
#include "support/watch_events.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;

/// Asked for credentials by the thread that opens a connection: lets one allocation of that thread fail from then until
/// it opens the next connection.
class Saboteur {
 public:
  enum class Outcome { unknown, needed_less, failed };

  CredentialsProvider provider() {
    return [this]() -> Result<UserCredentials> {
      thread_local std::optional<FailingAllocation> allocation;
      if (allocation) outcome_ = allocation->has_failed() ? Outcome::failed : Outcome::needed_less;
      allocation.reset();
      if (const auto passed = wanted_.exchange(nothing); passed != nothing) allocation.emplace(passed, Failing::once);
      return UserCredentials{};
    };
  }

  /// Of the next connection.
  void fail_behind(std::size_t passed) {
    outcome_ = Outcome::unknown;
    wanted_ = passed;
  }
  bool has_begun() const { return wanted_ == nothing; }

  /// Known once the connection behind that one is opened.
  Outcome outcome() const { return outcome_; }

 private:
  static constexpr auto nothing = static_cast<std::size_t>(-1);
  std::atomic<std::size_t> wanted_ = nothing;
  std::atomic<Outcome> outcome_ = Outcome::unknown;
};

class WatchNoMemory : public ServerTest {
 protected:
  static constexpr SessionWatchOptions hasty{.max_staleness = milliseconds(100)};
  static constexpr SessionWatchOptions patient{.max_staleness = std::chrono::seconds(60)};

  Session stored(std::string id) const {
    auto store = store_on(server);
    auto session = new_session("user", std::move(id));
    EXPECT_TRUE(store.upsert(session).has_value());
    return session;
  }
  void cut() const { server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}); }
  void change_hash() const { server.command({"HINCRBY", "obol_{user}:full", "counter", "1"}); }

  /// Changes the hash until it has been read so many times more.
  void await_reads(const SessionWatch& watch, std::uint64_t more) const {
    const auto wanted = watch.statistics().reads + more;
    await("reads", [&] {
      change_hash();
      return watch.statistics().reads >= wanted;
    });
  }
};

// Each allocation of opening a connection, reading over it, and being told of changes.
TEST_P(WatchNoMemory, InTheThreadThatReadsOnlyCostsItsConnection) {
  const auto session = stored("session");
  Saboteur saboteur;
  auto options = options_for(server);
  options.connection.credentials = saboteur.provider();
  auto watch = SessionWatch::connect(options, hasty).value();
  const WatchEvents events;
  const auto handle = watch.watch(session.key(), events.handler()).value();
  // A connection may also be lost before it has needed so many.
  constexpr int enough_in_a_row = 5;
  std::size_t failures = 0;
  std::size_t passed = 0;
  for (int in_a_row = 0; in_a_row < enough_in_a_row; ++passed) {
    ASSERT_LT(passed, most_allocations);
    await_reads(watch, 1);  // Only then does the server know the connection that is cut.
    const WatchEvents told;
    server.command({"HSETEX", "obol_{user}:full", "EX", "3600", "FIELDS", "1", "ending", "value"});
    const auto handle_of_ending = watch.watch({.user_id = "user", .id = "ending"}, told.handler()).value();
    saboteur.fail_behind(passed);
    cut();
    await("the connection that fails", [&] { return saboteur.has_begun(); });
    await_reads(watch, 3);
    server.command({"HDEL", "obol_{user}:full", "ending"});
    await("the end", [&] { return told.count() > 0 && told.all().back() == removed_event; });
    cut();
    await("the connection behind it", [&] {
      change_hash();
      return saboteur.outcome() != Saboteur::Outcome::unknown;
    });
    const bool has_failed = saboteur.outcome() == Saboteur::Outcome::failed;
    in_a_row = has_failed ? 0 : in_a_row + 1;
    failures += has_failed ? 1 : 0;
  }
  EXPECT_GT(failures, 20U);
  for (const auto& event : events.all()) EXPECT_NE(event.status, SessionStatus::ended);
}

TEST_P(WatchNoMemory, ForAnotherWatchHurtsNobody) {
  const auto session = stored("session");
  auto watch = SessionWatch::connect(options_for(server), patient).value();
  const WatchEvents events;
  const auto handle = watch.watch(session.key(), events.handler()).value();
  for (const auto failing : {Failing::once, Failing::from_then_on}) {
    fail_each(
        failing, [] {},
        [&] {
          const auto another = watch.watch({.user_id = "a user whose name is too long for its place", .id = "session"},
                                           [](const SessionWatchEvent&) {});
          EXPECT_TRUE(another.has_value());
        },
        [&](bool) {
          EXPECT_EQ(watch.statistics().watched, 1U);
          EXPECT_LE(watch.statistics().users, 2U);
        });
  }
  await("the users of before to be forgotten", [&] { return watch.statistics().users == 1; });
  server.command({"DEL", "obol_{user}:full"});
  EXPECT_EQ(events.await(), removed_event);
}

TEST_P(WatchNoMemory, IsNeededByNobodyToEndAndCloseAWatch) {
  const auto session = stored("session");
  std::optional<SessionWatch> watch = SessionWatch::connect(options_for(server), patient).value();
  const WatchEvents events;
  std::optional<WatchHandle> handle = watch->watch(session.key(), events.handler()).value();
  std::optional<WatchHandle> outliving = watch->watch(session.key(), events.handler()).value();
  await_reads(*watch, 1);
  const FailingAllocation failing(0, Failing::from_then_on);
  handle.reset();
  watch->close();
  watch.reset();
  outliving.reset();
  EXPECT_FALSE(failing.has_failed());
}

TEST_P(WatchNoMemory, AtConnectLeavesNothingBehind) {
  for (const auto failing : {Failing::once, Failing::from_then_on}) {
    fail_each(failing, [] {}, [&] { (void)SessionWatch::connect(options_for(server), patient); }, [](bool) {});
  }
  await("its connections to be closed", [&] {
    const auto clients = server.command({"INFO", "clients"});
    return clients.text.contains("connected_clients:1\r\n");
  });
}

OBOL_ON_BOTH_SERVERS(WatchNoMemory);

}}  // namespace obol::testing
