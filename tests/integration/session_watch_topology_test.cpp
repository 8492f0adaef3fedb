// SessionWatch behind Sentinel and in clusters: fail-overs, primaries that are lost, slots that move.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <string>

#include "obol/session_watch.hpp"
#include "support/sessions.hpp"
#include "support/test_cluster.hpp"
#include "support/test_sentinel.hpp"
#include "support/watch_events.hpp"

namespace obol::testing { namespace {

constexpr SessionWatchOptions patient_watch{.max_staleness = std::chrono::seconds(60)};

/// A server that has become a replica is noticed by the next heartbeat.
constexpr SessionWatchOptions prompt{.max_staleness = std::chrono::seconds(3)};

/// Watched sessions of several users.
class WatchedUsers {
 public:
  WatchedUsers(RedisStore& store, SessionWatch& watch, std::size_t users) : store_(store), watch_(watch) {
    for (std::size_t i = 0; i < users; ++i) {
      auto& user = users_.emplace_back(User{.session = new_session("user " + std::to_string(i))});
      EXPECT_TRUE(store.upsert(user.session).has_value());
      user.handle = watch.watch(user.session.key(), user.events.handler()).value();
    }
    await("watched sessions to be read", [&] { return watch_.statistics().reads >= users; });
  }

  std::string key(std::size_t user) const { return "obol_{user " + std::to_string(user) + "}:full"; }

  /// A call may fail while nobody serves.
  void end(std::size_t user) {
    await("a delete", [&] { return store_.delete_one(users_[user].session.key()).has_value(); });
  }

  /// Ends all and waits until each is told, once.
  void end_all() {
    for (std::size_t i = 0; i < users_.size(); ++i) end(i);
    for (auto& user : users_) {
      await("the end of a session",
            [&] { return user.events.count() > 0 && user.events.all().back() == removed_event; });
      EXPECT_EQ(std::ranges::count(user.events.all(), removed_event), 1);
    }
  }

  const WatchEvents& events(std::size_t user) const { return users_[user].events; }

 private:
  struct User {
    Session session{};
    WatchEvents events{};
    WatchHandle handle{};
  };
  RedisStore& store_;
  SessionWatch& watch_;
  std::deque<User> users_;
};

class SessionWatchClusterTest : public ::testing::TestWithParam<ServerKind> {
 protected:
  TestCluster cluster{GetParam(), {.primaries = 3, .replicas_each = 1}};
  RedisStore store = RedisStore::connect(options_for(cluster.connection())).value();
  SessionWatch watch = SessionWatch::connect(options_for(cluster.connection()), patient_watch).value();
};

TEST_P(SessionWatchClusterTest, TellsOfEndsOnEveryNode) {
  WatchedUsers users(store, watch, 30);
  EXPECT_EQ(watch.statistics().connections, 3U);
  users.end_all();
}

TEST_P(SessionWatchClusterTest, FollowsASlotThatMoves) {
  WatchedUsers users(store, watch, 6);
  const auto slot = cluster.slot_of(users.key(0));
  const auto from = cluster.primary_of(slot);
  cluster.move_slots({slot}, cluster.other_primary(from));
  users.end_all();
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(users.events(i).count(), 1U);
}

TEST_P(SessionWatchClusterTest, TellsOfEndsWhileASlotMoves) {
  WatchedUsers users(store, watch, 1);
  const auto slot = cluster.slot_of(users.key(0));
  const auto from = cluster.primary_of(slot);
  const auto to = cluster.other_primary(from);
  cluster.begin_move(slot, to);
  cluster.move_keys(slot, to);
  users.end_all();
  cluster.finish_move(slot, to);
}

TEST_P(SessionWatchClusterTest, GoesOnWhenAPrimaryIsLost) {
  WatchedUsers users(store, watch, 12);
  const auto lost = cluster.primary_of(cluster.slot_of(users.key(0)));
  const auto replicas = cluster.replicas_of(lost);
  cluster.kill(lost);
  cluster.await_promotion(replicas);
  users.end_all();
}

// Both ways of losing the keys of a slot: one by one, or all at once.
TEST_P(SessionWatchClusterTest, FollowsASlotThatMovesAtOnce) {
  if (GetParam() != ServerKind::valkey) GTEST_SKIP() << "only Valkey 9 moves slots at once";
  WatchedUsers users(store, watch, 6);
  const auto slot = cluster.slot_of(users.key(0));
  const auto from = cluster.primary_of(slot);
  const auto to = cluster.other_primary(from);
  const auto number = std::to_string(slot);
  const std::string id(cluster.command(to, {"CLUSTER", "MYID"}).text);
  const auto moved = cluster.command(from, {"CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", number, number, "NODE", id});
  ASSERT_FALSE(moved.is_error()) << moved.text;
  await("the slot to move", [&] { return cluster.primary_of(slot) == to; });
  users.end_all();
}

TEST_P(SessionWatchClusterTest, GoesOnAfterAFailOver) {
  auto watch = SessionWatch::connect(options_for(cluster.connection()), prompt).value();
  WatchedUsers users(store, watch, 12);
  const auto before = cluster.primary_of(cluster.slot_of(users.key(0)));
  const auto replica = cluster.replicas_of(before).front();
  cluster.fail_over(replica);
  cluster.await_promotion({replica});
  await("a connection to the new primary", [&] { return watch.statistics().connections >= 4; });
  users.end_all();
}

TEST_P(SessionWatchClusterTest, GoesOnWhenAPrimaryLeaves) {
  WatchedUsers users(store, watch, 12);
  const auto added = cluster.add_empty_primary();
  const auto slot = cluster.slot_of(users.key(0));
  const auto before = cluster.primary_of(slot);
  cluster.move_slots({slot}, added);
  await("the new primary to be watched", [&] { return watch.statistics().connections >= 4; });
  cluster.remove_primary(added, before);
  users.end_all();
}

INSTANTIATE_TEST_SUITE_P(On, SessionWatchClusterTest, ::testing::Values(ServerKind::redis, ServerKind::valkey),
                         [](const auto& parameter) { return name_of(parameter.param); });

class SessionWatchSentinelTest : public ::testing::TestWithParam<ServerKind> {
 protected:
  TestSentinel servers{GetParam()};
  RedisStore store = RedisStore::connect(options_for(servers.connection())).value();
  SessionWatch watch = SessionWatch::connect(options_for(servers.connection()), patient_watch).value();
};

TEST_P(SessionWatchSentinelTest, FollowsAFailOver) {
  auto watch = SessionWatch::connect(options_for(servers.connection()), prompt).value();
  WatchedUsers users(store, watch, 12);
  servers.fail_over();
  await("a connection to the new primary", [&] { return watch.statistics().connections >= 2; });
  users.end_all();
}

TEST_P(SessionWatchSentinelTest, GoesOnWhenThePrimaryIsLost) {
  WatchedUsers users(store, watch, 12);
  const auto before = servers.primary();
  servers.kill(before);
  servers.await_primary_other_than(before);
  users.end_all();
}

INSTANTIATE_TEST_SUITE_P(On, SessionWatchSentinelTest, ::testing::Values(ServerKind::redis, ServerKind::valkey),
                         [](const auto& parameter) { return name_of(parameter.param); });

}}  // namespace obol::testing
