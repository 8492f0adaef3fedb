// SessionWatch and its server: who ends sessions, connections that break, servers that fall silent, what it costs.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "obol/session_watch.hpp"
#include "support/child.hpp"
#include "support/fault_proxy.hpp"
#include "support/server_test.hpp"
#include "support/watch_events.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class SessionWatchTest : public ServerTest {
 protected:
  RedisStoreOptions options() const { return options_for(server); }
  RedisStoreOptions options_through(const FaultProxy& proxy) const { return options_for(proxy.connection()); }

  /// Longer than a busy machine stands still; for whoever does not wait for `unknown`.
  static constexpr SessionWatchOptions patient{.max_staleness = std::chrono::seconds(60)};
  static constexpr SessionWatchOptions hasty{.max_staleness = milliseconds(600)};

  Session stored(std::string id = "session", std::string user = "user") const {
    auto store = store_on(server);
    auto session = new_session(std::move(user), std::move(id));
    EXPECT_TRUE(store.upsert(session).has_value());
    return session;
  }

  static void await_live(const SessionWatch& watch, std::size_t watched = 1) {
    await("watched sessions to be known", [&] {
      const auto statistics = watch.statistics();
      return statistics.watched == watched && statistics.reads >= statistics.users && statistics.unknown == 0;
    });
  }

  /// The connection of the watch, by the server.
  void cut() const { server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}); }

  std::string info(std::string_view name) const {
    const auto info = server.command({"INFO", "stats"});
    const auto begin = info.text.find(std::string(name) + ":");
    if (begin == std::string_view::npos) return {};
    const auto value = info.text.substr(begin + name.size() + 1);
    return std::string(value.substr(0, value.find('\r')));
  }

  WatchEvents events;
};

TEST_P(SessionWatchTest, TellsOfWhatOperatorsDo) {
  const auto ended_by = [&](std::initializer_list<std::string_view> command) {
    const auto session = stored();
    auto watch = SessionWatch::connect(options(), patient).value();
    const WatchEvents told;
    const auto handle = watch.watch(session.key(), told.handler()).value();
    await_live(watch);
    server.command(command);
    const auto event = told.await();
    EXPECT_EQ(watch.statistics().connection_losses, 0U);
    return event;
  };
  EXPECT_EQ(ended_by({"DEL", "obol_{user}:full"}), removed_event);
  EXPECT_EQ(ended_by({"HDEL", "obol_{user}:full", "session"}), removed_event);
  EXPECT_EQ(ended_by({"RENAME", "obol_{user}:full", "elsewhere"}), removed_event);
  EXPECT_EQ(ended_by({"SET", "obol_{user}:full", "what is no hash"}), removed_event);
  server.command({"DEL", "obol_{user}:full"});
  EXPECT_EQ(ended_by({"FLUSHALL"}), removed_event);
  EXPECT_EQ(ended_by({"FLUSHDB", "ASYNC"}), removed_event);
}

TEST_P(SessionWatchTest, TellsOfAnEndThatCameWhileTheConnectionWasLost) {
  const auto session = stored();
  FaultProxy proxy(server);
  auto watch = SessionWatch::connect(options_through(proxy), patient).value();
  const auto handle = watch.watch(session.key(), events.handler()).value();
  await_live(watch);
  proxy.always(Fault::cut_before_delivery(), "HELLO");
  cut();
  await("the loss", [&] { return watch.statistics().connection_losses > 0; });
  server.command({"DEL", "obol_{user}:full"});
  proxy.heal();
  EXPECT_EQ(events.await(), removed_event);
  EXPECT_EQ(events.count(), 1U);
}

TEST_P(SessionWatchTest, ALossThatIsMendedAtOnceIsNotTold) {
  const auto session = stored();
  auto watch = SessionWatch::connect(options(), patient).value();
  const auto handle = watch.watch(session.key(), events.handler()).value();
  await_live(watch);
  for (std::uint64_t connections = 1; connections < 5; ++connections) {
    cut();
    await("another connection", [&] { return watch.statistics().connections > connections; });
  }
  server.command({"DEL", "obol_{user}:full"});
  EXPECT_EQ(events.await(), removed_event);
  EXPECT_EQ(events.count(), 1U);
}

TEST_P(SessionWatchTest, ASilentServerIsToldAsUnknown) {
  const auto session = stored();
  auto watch = SessionWatch::connect(options(), hasty).value();
  const auto handle = watch.watch(session.key(), events.handler()).value();
  await_live(watch);
  server.signal(SIGSTOP);
  EXPECT_EQ(events.await(1), unknown_event);
  EXPECT_EQ(watch.statistics().unknown, 1U);
  server.signal(SIGCONT);
  // A busy machine may be silent, too.
  await("the session to be known again", [&] { return events.all().back() == live_event; });
  server.command({"DEL", "obol_{user}:full"});
  await("the end", [&] { return events.all().back() == removed_event; });
}

TEST_P(SessionWatchTest, ASilentNetworkIsToldAsUnknown) {
  const auto session = stored();
  FaultProxy proxy(server);
  auto watch = SessionWatch::connect(options_through(proxy), hasty).value();
  const auto handle = watch.watch(session.key(), events.handler()).value();
  await_live(watch);
  proxy.always(Fault::half_open(), "HELLO");
  EXPECT_EQ(events.await(1), unknown_event);
  server.command({"DEL", "obol_{user}:full"});
  proxy.heal();
  await("the end", [&] { return events.all().back() == removed_event; });
}

TEST_P(SessionWatchTest, AServerThatCannotBeReachedIsToldAsUnknownInTime) {
  const auto session = stored();
  FaultProxy proxy(server);
  auto hanging = options_through(proxy);
  hanging.timeouts.connect = std::chrono::seconds(8);
  auto watch = SessionWatch::connect(hanging, hasty).value();
  const auto handle = watch.watch(session.key(), events.handler()).value();
  await_live(watch);
  proxy.always(Fault::half_open(), "HELLO");
  const auto cut_at = steady_clock::now();
  cut();
  EXPECT_EQ(events.await(1), unknown_event);
  EXPECT_LT(events.last_at() - cut_at, hanging.timeouts.connect) << "not when it gives up to connect";
  proxy.heal();
}

TEST_P(SessionWatchTest, AReadThatIsRefusedIsAskedAgain) {
  const auto session = stored();
  FaultProxy proxy(server);
  auto watch = SessionWatch::connect(options_through(proxy), patient).value();
  proxy.once(Fault::garbage("-LOADING Redis is loading the dataset in memory\r\n"), "HPTTL");
  const auto handle = watch.watch(session.key(), events.handler()).value();
  await("another connection", [&] { return watch.statistics().connections > 1; });
  await_live(watch);
  server.command({"DEL", "obol_{user}:full"});
  EXPECT_EQ(events.await(), removed_event);
  EXPECT_EQ(events.count(), 1U);
}

TEST_P(SessionWatchTest, SaysWhichRightsItNeeds) {
  const auto user_with = [&](std::string_view rule, std::string_view other) {
    server.command({"ACL", "SETUSER", "web", "reset", "on", ">right", "~obol_*", "-@all", rule, other});
    auto as_web = options();
    as_web.connection.username = "web";
    as_web.connection.password = "right";
    return as_web;
  };
  const auto without_read = SessionWatch::connect(user_with("+client|tracking", "-hpttl"), patient);
  ASSERT_FALSE(without_read.has_value());
  EXPECT_EQ(without_read.error().code, ErrorCode::permission);
  EXPECT_NE(without_read.error().message.find("a watch of sessions"), std::string::npos)
      << without_read.error().message;
  const auto without_tracking = SessionWatch::connect(user_with("+hpttl", "-client"), patient);
  ASSERT_FALSE(without_tracking.has_value());
  EXPECT_NE(without_tracking.error().message.find("+client|tracking"), std::string::npos);
  const auto session = stored();
  auto watch = SessionWatch::connect(user_with("+client|tracking", "+hpttl"), patient).value();
  const auto handle = watch.watch(session.key(), events.handler()).value();
  await_live(watch);
  server.command({"DEL", "obol_{user}:full"});
  EXPECT_EQ(events.await(), removed_event);
}

TEST_P(SessionWatchTest, RefusesOptionsThatCannotBe) {
  EXPECT_EQ(SessionWatch::connect(options(), {.max_staleness = milliseconds(99)}).error().code,
            ErrorCode::invalid_argument);
  EXPECT_EQ(SessionWatch::connect(options(), {.max_staleness = std::chrono::hours(1)}).error().code,
            ErrorCode::invalid_argument);
  auto nowhere = options();
  nowhere.connection.unix_socket = server.socket_path() + "nowhere";
  EXPECT_EQ(SessionWatch::connect(nowhere).error().code, ErrorCode::unavailable);
}

// What the server remembers grows with the watched users, not with those that others write.
TEST_P(SessionWatchTest, TheServerRemembersTheWatchedUsersOnly) {
  for (int user = 0; user < 20; ++user) stored("session", "stranger " + std::to_string(user));
  const auto session = stored();
  const auto second = stored("second");
  auto watch = SessionWatch::connect(options(), patient).value();
  const auto handle = watch.watch(session.key(), events.handler()).value();
  const auto other = watch.watch(second.key(), events.handler()).value();
  await_live(watch, 2);
  EXPECT_LE(std::stoi(info("tracking_total_keys")), 2) << "the user, and the probe of the beginning";
  for (int user = 0; user < 20; ++user) stored("second", "stranger " + std::to_string(user));
  EXPECT_LE(watch.statistics().reads, 2U);
}

// The server forgets tracked keys then, and tells of each as if it had changed.
TEST_P(SessionWatchTest, AServerThatTracksFewerKeysThanAreWatchedIsReadAgain) {
  constexpr std::size_t users = 60;
  ASSERT_FALSE(server.command({"CONFIG", "SET", "tracking-table-max-keys", "10"}).is_error());
  std::vector<Session> sessions;
  for (std::size_t user = 0; user < users; ++user) sessions.push_back(stored("session", std::to_string(user)));
  auto watch = SessionWatch::connect(options(), patient).value();
  const std::vector<WatchEvents> told(users);
  std::vector<WatchHandle> handles;
  for (std::size_t i = 0; i < users; ++i) {
    handles.push_back(watch.watch(sessions[i].key(), told[i].handler()).value());
  }
  await("reads of what the server has forgotten", [&] { return watch.statistics().reads > 2 * users; });
  for (const auto& events_of_user : told) EXPECT_EQ(events_of_user.count(), 0U);
  for (std::size_t user = 0; user < users; user += 2) {
    server.command({"DEL", "obol_{" + std::to_string(user) + "}:full"});
  }
  for (std::size_t user = 0; user < users; user += 2) EXPECT_EQ(told[user].await(), removed_event);
  for (std::size_t user = 1; user < users; user += 2) EXPECT_EQ(told[user].count(), 0U) << user;
  EXPECT_EQ(watch.statistics().connection_losses, 0U);
}

// SWAPDB is told by no server: see docs/operations.md.
TEST_P(SessionWatchTest, SwappedDatabasesAreNoticedWhenTheConnectionIsRenewed) {
  const auto session = stored();
  auto renewing = options();
  renewing.pool.lifetime_limit = std::chrono::seconds(1);
  auto watch = SessionWatch::connect(renewing, hasty).value();
  const auto handle = watch.watch(session.key(), events.handler()).value();
  await_live(watch);
  server.command({"SWAPDB", "0", "1"});
  await("the end", [&] { return events.count() > 0 && events.all().back() == removed_event; });
}

TEST_P(SessionWatchTest, ASlowNetworkLosesNothing) {
  for (const auto& slowness : {Fault::delay(milliseconds(200)), Fault::trickle(1, milliseconds(2)),
                               Fault::trickle(7, milliseconds(20)), Fault::split_every_byte()}) {
    const auto session = stored();
    FaultProxy proxy(server);
    proxy.follow([&slowness](std::string_view) { return slowness; });
    auto watch = SessionWatch::connect(options_through(proxy), patient).value();
    const WatchEvents told;
    const auto handle = watch.watch(session.key(), told.handler()).value();
    await_live(watch);
    const auto reads = watch.statistics().reads;
    // The first changes may come before the server has got the first read.
    await("the read after a change", [&] {
      server.command({"HINCRBY", "obol_{user}:full", "counter", "1"});
      return watch.statistics().reads > reads;
    });
    EXPECT_EQ(told.count(), 0U);
    server.command({"DEL", "obol_{user}:full"});
    EXPECT_EQ(told.await(), removed_event);
    EXPECT_EQ(told.count(), 1U);
    EXPECT_EQ(watch.statistics().connection_losses, 0U);
    EXPECT_GT(proxy.faults(), 0U);
  }
}

TEST_P(SessionWatchTest, ASlowSignOfLifeCountsFromItsQuestion) {
  const auto session = stored();
  FaultProxy proxy(server);
  auto watch = SessionWatch::connect(options_through(proxy), hasty).value();
  const auto handle = watch.watch(session.key(), events.handler()).value();
  await_live(watch);
  // Each answer comes in time to keep the connection, and too late to say anything.
  proxy.always(Fault::delay(milliseconds(590)), "HELLO");
  EXPECT_EQ(events.await(1), unknown_event);
  proxy.heal();
  await("the session to be known again", [&] { return events.all().back() == live_event; });
}

TEST_P(SessionWatchTest, ManySessionsAreReadAgainAfterALoss) {
  constexpr std::size_t users = 3000;
  auto store = store_on(server);
  auto watch = SessionWatch::connect(options(), patient).value();
  std::vector<WatchHandle> handles;
  std::atomic<std::size_t> ended = 0;
  std::vector<redis::Command> commands;
  for (std::size_t user = 0; user < users; ++user) {
    const auto key = "obol_{" + std::to_string(user) + "}:full";
    commands.push_back({"HSETEX", key, "EX", "3600", "FIELDS", "1", "session", "value"});
  }
  server.commands(commands);
  for (std::size_t user = 0; user < users; ++user) {
    handles.push_back(
        watch.watch({.user_id = std::to_string(user), .id = "session"}, [&](const SessionWatchEvent&) { ++ended; })
            .value());
  }
  await("all reads", [&] { return watch.statistics().reads >= users; });
  cut();
  await("all reads after the loss", [&] { return watch.statistics().reads >= 2 * users; });
  EXPECT_EQ(ended, 0U);
  server.command({"FLUSHALL"});
  await("all ends", [&] { return ended == users; });
}

// Whatever is lost on the way: each end is told, once.
TEST_P(SessionWatchTest, TellsEachEndOnceThroughLosses) {
  constexpr std::size_t users = 500;
  constexpr std::size_t sessions = 20;
  const auto id_of = [](std::size_t i) { return std::to_string(i % sessions); };
  const auto user_of = [](std::size_t i) { return std::to_string(i / sessions); };
  const auto key_of = [&](std::size_t i) { return "obol_{" + user_of(i) + "}:full"; };
  auto watch = SessionWatch::connect(options(), patient).value();
  std::vector<std::atomic<int>> told(users * sessions);
  std::atomic<std::size_t> all = 0;
  std::vector<WatchHandle> handles;
  std::vector<redis::Command> stores;
  for (std::size_t i = 0; i < told.size(); ++i) {
    stores.push_back({"HSETEX", key_of(i), "EX", "3600", "FIELDS", "1", id_of(i), "value"});
  }
  server.commands(stores);
  for (std::size_t i = 0; i < told.size(); ++i) {
    handles.push_back(watch
                          .watch({.user_id = user_of(i), .id = id_of(i)},
                                 [&told, &all, i](const SessionWatchEvent& event) {
                                   if (event.status != SessionStatus::ended) return;
                                   ++told[i];
                                   ++all;
                                 })
                          .value());
  }
  for (std::size_t begin = 0; begin < told.size(); begin += 1000) {
    std::vector<redis::Command> ends;
    for (std::size_t i = begin; i < begin + 1000; ++i) ends.push_back({"HDEL", key_of(i), id_of(i)});
    server.commands(ends);
    cut();
  }
  await("all ends", [&] { return all >= told.size(); });
  EXPECT_EQ(all, told.size());
  for (const auto& times : told) EXPECT_EQ(times, 1);
  EXPECT_GT(watch.statistics().connection_losses, 0U);
}

TEST_P(SessionWatchTest, AChildIsToldNothingAndEnds) {
  if (!can_fork_beside_busy_threads) GTEST_SKIP() << "the sanitizer cannot fork beside threads";
  const auto session = stored();
  std::optional<SessionWatch> watch = SessionWatch::connect(options(), patient).value();
  std::optional<WatchHandle> handle = watch->watch(session.key(), events.handler()).value();
  await_live(*watch);
  const auto end = run_in_child([&] {
    const auto refused = watch->watch(session.key(), [](const SessionWatchEvent&) {});
    const bool is_refused = !refused && refused.error().code == ErrorCode::closed;
    handle.reset();
    watch.reset();
    return is_refused;
  });
  EXPECT_EQ(end, "");
  server.command({"DEL", "obol_{user}:full"});
  EXPECT_EQ(events.await(), removed_event);
}

OBOL_ON_BOTH_SERVERS(SessionWatchTest);

}}  // namespace obol::testing
