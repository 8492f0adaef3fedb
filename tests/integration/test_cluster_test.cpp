// What the other tests rely on: that a TestCluster is a cluster, and does to itself what it says.
#include "support/test_cluster.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/await.hpp"

namespace obol::testing { namespace {

using Node = TestCluster::Node;

class TestClusterFixture : public ::testing::TestWithParam<ServerKind> {
 protected:
  static constexpr const char* key = "obol_{user}:full";
  static constexpr std::chrono::milliseconds soon{1000};

  static void store(const TestCluster& cluster, const char* value) {
    ASSERT_EQ(cluster.command(cluster.primary_of(key), {"SET", key, value}).text, "OK");
  }
  static std::string stored(const TestCluster& cluster) {
    return std::string(cluster.command(cluster.primary_of(key), {"GET", key}).text);
  }
};

TEST_P(TestClusterFixture, HasThreePrimariesWithAReplicaEach) {
  const TestCluster cluster(GetParam());
  EXPECT_EQ(cluster.primaries(), (std::vector<Node>{0, 1, 2}));
  for (const Node primary : {0UL, 1UL, 2UL}) EXPECT_EQ(cluster.replicas_of(primary), std::vector<Node>{primary + 3});
}

TEST_P(TestClusterFixture, PutsTheReplicaInAKilledPrimarysPlace) {
  TestCluster cluster(GetParam(), {.node_timeout = soon});
  store(cluster, "before");
  const auto old = cluster.primary_of(key);
  const auto replicas = cluster.replicas_of(old);
  ASSERT_NO_THROW(await("the replica to have it", [&] {
    return cluster.server(replicas.front()).commands({{redis::Command{"READONLY"}, {"GET", key}}}).back().text ==
           "before";
  }));
  cluster.kill(old);
  EXPECT_EQ(cluster.await_promotion(replicas), replicas.front());
  EXPECT_EQ(cluster.primary_of(key), replicas.front());
  EXPECT_EQ(stored(cluster), "before");
  cluster.restart(old);
  cluster.await_whole();
  EXPECT_EQ(cluster.replicas_of(replicas.front()), std::vector<Node>{old});
}

TEST_P(TestClusterFixture, PutsTheReplicaInAHungPrimarysPlace) {
  TestCluster cluster(GetParam(), {.node_timeout = soon});
  const auto old = cluster.primary_of(key);
  const auto replicas = cluster.replicas_of(old);
  cluster.pause(old);
  EXPECT_EQ(cluster.await_promotion(replicas), replicas.front());
  cluster.resume(old);
  cluster.await_whole();
  EXPECT_FALSE(cluster.is_primary(old));
}

TEST_P(TestClusterFixture, FailsOverByHandAndBack) {
  TestCluster cluster(GetParam());
  store(cluster, "before");
  const auto old = cluster.primary_of(key);
  const auto replica = cluster.replicas_of(old).front();
  cluster.fail_over(replica);
  EXPECT_EQ(cluster.primary_of(key), replica);
  EXPECT_EQ(stored(cluster), "before");
  EXPECT_EQ(cluster.command(old, {"GET", key}).error_word(), "MOVED");
  cluster.await_whole();
  cluster.fail_over(old, TestCluster::Force::yes);
  EXPECT_EQ(cluster.primary_of(key), old);
}

TEST_P(TestClusterFixture, AnswersForAMovedSlotWithMoved) {
  TestCluster cluster(GetParam());
  store(cluster, "before");
  const auto slot = cluster.slot_of(key);
  const auto from = cluster.primary_of(key);
  const auto to = cluster.other_primary(cluster.primary_of(key));
  cluster.move_slots({slot}, to);
  EXPECT_EQ(cluster.primary_of(key), to);
  EXPECT_EQ(stored(cluster), "before");
  EXPECT_EQ(cluster.command(from, {"GET", key}).text, fmt::format("MOVED {} {}", slot, cluster.address(to)));
}

TEST_P(TestClusterFixture, AnswersForAHalfMovedSlotWithAskOrTryAgain) {
  TestCluster cluster(GetParam());
  const auto slot = cluster.slot_of(key);
  const auto from = cluster.primary_of(key);
  const auto to = cluster.other_primary(cluster.primary_of(key));
  cluster.begin_move(slot, to);
  EXPECT_EQ(cluster.command(from, {"GET", key}).text, fmt::format("ASK {} {}", slot, cluster.address(to)));
  EXPECT_EQ(cluster.command(to, {"GET", key}).error_word(), "MOVED");
  const redis::Command asking{"ASKING"};
  EXPECT_EQ(cluster.server(to).commands({{asking, {"SET", key, "moved"}}}).back().text, "OK");
  const redis::Command two{"MGET", key, "obol_{user}:other"};
  EXPECT_EQ(cluster.server(to).commands({{asking, two}}).back().error_word(), "TRYAGAIN");
  cluster.move_keys(slot, to);
  cluster.finish_move(slot, to);
  EXPECT_EQ(cluster.command(to, {"GET", key}).text, "moved");
  cluster.await_whole();
}

TEST_P(TestClusterFixture, TakesInAPrimaryWithoutFunctionsAndLetsItGo) {
  TestCluster cluster(GetParam());
  store(cluster, "before");
  const auto home = cluster.primary_of(key);
  cluster.command(home, {"FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() return 1 end)"});
  const auto added = cluster.add_empty_primary();
  EXPECT_EQ(cluster.primaries().back(), added);
  cluster.move_slots({cluster.slot_of(key)}, added);
  EXPECT_EQ(cluster.primary_of(key), added);
  EXPECT_EQ(stored(cluster), "before");
  EXPECT_TRUE(cluster.command(added, {"FCALL", "f", "1", key}).text.contains("Function not found"));
  cluster.remove_primary(added, home);
  EXPECT_EQ(cluster.primary_of(key), home);
  EXPECT_EQ(stored(cluster), "before");
}

TEST_P(TestClusterFixture, LetsAPrimaryWithManySlotsGo) {
  TestCluster cluster(GetParam());
  store(cluster, "before");
  const auto gone = cluster.primary_of(key);
  const auto to = cluster.other_primary(cluster.primary_of(key));
  cluster.remove_primary(gone, to);
  EXPECT_EQ(cluster.primary_of(key), to);
  EXPECT_EQ(stored(cluster), "before");
}

TEST_P(TestClusterFixture, KeepsWhatItPersistsOverARestartOfAll) {
  TestCluster cluster(GetParam(), {.arguments = {"--appendonly", "yes"}});
  store(cluster, "before");
  cluster.restart_all();
  cluster.await_whole();
  EXPECT_EQ(stored(cluster), "before");
}

TEST_P(TestClusterFixture, SpeaksTlsAndAnnouncesNamesWhereToldSo) {
  const TestCluster cluster(GetParam(),
                            {.replicas_each = 0, .uses_tls = true, .hostname = "localhost", .password = "pw"});
  const auto away = cluster.other_primary(cluster.primary_of(key));
  // Without its port: over this connection it would be that for clients without TLS, and there is none.
  EXPECT_TRUE(
      cluster.command(away, {"GET", key}).text.starts_with(fmt::format("MOVED {} localhost:", cluster.slot_of(key))));
}

INSTANTIATE_TEST_SUITE_P(On, TestClusterFixture, ::testing::Values(ServerKind::redis, ServerKind::valkey),
                         [](const auto& parameter) { return name_of(parameter.param); });

}}  // namespace obol::testing
