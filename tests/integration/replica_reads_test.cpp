// Reads that a replica may answer: which calls make them, and who answers where the replica cannot.
#include <algorithm>
#include <csignal>

#include "redis/topology/replicas.hpp"
#include "support/await.hpp"
#include "support/replicated_server.hpp"
#include "support/server_test.hpp"
#include "support/test_cluster.hpp"
#include "support/test_sentinel.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// How often the server has been asked for a session.
long reads_of(const TestServer& server) {
  const auto told = server.command({"INFO", "commandstats"});
  long reads = 0;
  for (const std::string_view command : {"cmdstat_hget:calls=", "cmdstat_hgetall:calls="}) {
    const auto at = told.text.find(command);
    if (at != std::string_view::npos) reads += std::atol(told.text.data() + at + command.size());
  }
  return reads;
}

RedisStoreOptions reading_from_replicas(const ConnectionOptions& connection) {
  auto options = options_for(connection);
  options.replica_reads = {.enabled = true, .max_lag = seconds(30)};
  return options;
}

class ReplicaReads : public ::testing::TestWithParam<ServerKind> {
 protected:
  RedisStoreOptions options() const { return reading_from_replicas(primary.connection()); }

  Session stored(RedisStore& in) const {
    auto session = new_session("user", "session");
    EXPECT_TRUE(in.upsert(session).has_value());
    await("the session to reach the replica",
          [&] { return replica.command({"HEXISTS", "obol_{user}:full", session.id}).integer == 1; });
    return session;
  }

  ReplicatedServer servers{GetParam()};
  TestServer& primary = servers.primary;
  TestServer& replica = servers.replica;
};

TEST_P(ReplicaReads, AreThoseOfPeekAndPeekAll) {
  auto store = RedisStore::connect(options()).value();
  const auto session = stored(store);
  const auto before = reads_of(primary);
  EXPECT_EQ(store.get_from_replica(session.key()).value(), session);
  EXPECT_EQ(store.get_all_from_replica("user", "full").value(), std::vector{session});
  EXPECT_EQ(reads_of(replica), 2);
  EXPECT_EQ(reads_of(primary), before);
}

TEST_P(ReplicaReads, ReachAReplicaByWayOfTheAddressMap) {
  const ReplicatedServer forwarded(GetParam(),
                                   {"--replica-announce-ip", "127.0.0.77", "--replica-announce-port", "7001"});
  auto options = reading_from_replicas(forwarded.primary.connection());
  options.connection.address_map = {{.announced = {.host = "127.0.0.77", .port = 7001},
                                     .reachable = {.host = "127.0.0.1", .port = forwarded.replica_port.number()}}};
  auto store = RedisStore::connect(options).value();
  EXPECT_EQ(store.get_from_replica(new_session().key()).value(), std::nullopt);
  EXPECT_EQ(reads_of(forwarded.replica), 1);
}

TEST_P(ReplicaReads, AreMadeOverAPoolThatIsCounted) {
  auto store = RedisStore::connect(options()).value();
  const auto session = stored(store);
  const auto before = store.pool_statistics();
  EXPECT_EQ(store.get_from_replica(session.key()).value(), session);
  const auto after = store.pool_statistics();
  EXPECT_EQ(after.opened, before.opened + 1);
  EXPECT_EQ(after.idle, before.idle + 1);
  EXPECT_EQ(after.maximum, 2 * before.maximum);
}

TEST_P(ReplicaReads, AreNoneOfTheOtherCalls) {
  auto store = RedisStore::connect(options()).value();
  auto session = stored(store);
  EXPECT_EQ(store.get(session.key()).value(), session);
  EXPECT_EQ(store.get_many(std::vector{session.key()}).value().front(), session);
  EXPECT_EQ(store.get_all("user", "full").value(), std::vector{session});
  EXPECT_TRUE(store.upsert(session).has_value());
  EXPECT_EQ(reads_of(replica), 0);
}

TEST_P(ReplicaReads, AreNotMadeUnlessTheyAreEnabled) {
  auto own = options();
  own.replica_reads.enabled = false;
  auto store = RedisStore::connect(own).value();
  const auto session = stored(store);
  EXPECT_EQ(store.get_from_replica(session.key()).value(), session);
  EXPECT_EQ(reads_of(replica), 0);
}

TEST_P(ReplicaReads, FindNoSessionThatWasTamperedWith) {
  auto store = RedisStore::connect(options()).value();
  const auto session = stored(store);
  replica.command({"CONFIG", "SET", "replica-read-only", "no"});
  replica.command({"HSET", "obol_{user}:full", session.id, "forged"});
  EXPECT_EQ(store.get_from_replica(session.key()).value(), std::nullopt);
  EXPECT_TRUE(store.get_all_from_replica("user", "full")->empty());
}

TEST_P(ReplicaReads, AreAnsweredByThePrimaryWhereTheReplicaHangs) {
  auto own = options();
  own.timeouts.command = milliseconds(300);
  own.replica_reads.max_lag = seconds(2);
  auto store = connected(own);
  const auto session = stored(store);
  EXPECT_EQ(store.get_from_replica(session.key()).value(), session);
  replica.signal(SIGSTOP);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(store.get_from_replica(session.key()).value(), session);
  replica.signal(SIGCONT);
  const auto before = reads_of(replica);
  await("the replica to be asked again",
        [&] { return store.get_from_replica(session.key()).value() == session && reads_of(replica) > before; });
}

TEST_P(ReplicaReads, AreAnsweredByThePrimaryWhereTheReplicaIsGone) {
  auto own = options();
  own.timeouts.command = milliseconds(1000);
  auto store = connected(own);
  const auto session = stored(store);
  EXPECT_EQ(store.get_from_replica(session.key()).value(), session);
  replica.signal(SIGKILL);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(store.get_from_replica(session.key()).value(), session);
}

// One of the reads asks the primary for its replicas, and must not spend all of its time on that.
TEST_P(ReplicaReads, AreAnsweredByTheReplicaWhileThePrimaryHangs) {
  auto own = options();
  own.timeouts = {.connect = seconds(4), .command = seconds(4), .total = seconds(8)};
  auto store = connected(own);
  const auto session = stored(store);
  EXPECT_EQ(store.get_from_replica(session.key()).value(), session);
  primary.signal(SIGSTOP);
  const auto due = std::chrono::steady_clock::now() + redis::Replicas::pause;
  for (bool was_due = false; !was_due;) {
    was_due = std::chrono::steady_clock::now() >= due;
    const auto found = store.get_from_replica(session.key());
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_EQ(*found, session);
  }
  primary.signal(SIGCONT);
}

TEST_P(ReplicaReads, AreNotMadeFromAReplicaThatLostItsPrimary) {
  auto store = RedisStore::connect(options()).value();
  const auto session = stored(store);
  EXPECT_EQ(store.get_from_replica(session.key()).value(), session);
  replica.command({"REPLICAOF", "NO", "ONE"});
  ASSERT_TRUE(store.delete_one(session.key()).has_value());
  await("the old replica to be left", [&] { return store.get_from_replica(session.key()).value() == std::nullopt; });
  const auto before = reads_of(replica);
  EXPECT_EQ(store.get_from_replica(session.key()).value(), std::nullopt);
  EXPECT_EQ(reads_of(replica), before);
}

TEST_P(ReplicaReads, GoToTheReplicasThatSentinelsMadeOfTheServers) {
  TestSentinel sentinel(GetParam());
  auto store = RedisStore::connect(reading_from_replicas(sentinel.connection())).value();
  auto session = new_session("user", "session");
  ASSERT_TRUE(store.upsert(session).has_value());
  const auto primary_now = sentinel.fail_over();
  sentinel.await_whole();
  await("a session on the new primary", [&] { return store.upsert(session).has_value(); });
  const auto replica_reads = [&] {
    long reads = 0;
    for (TestSentinel::Node node = 0; node < 3; ++node) {
      if (node != primary_now) reads += reads_of(sentinel.server(node));
    }
    return reads;
  };
  const auto before = replica_reads();
  await("a replica's answer",
        [&] { return store.get_from_replica(session.key()).value() == session && replica_reads() > before; });
}

TEST_P(ReplicaReads, GoToTheReplicasOfTheNodeThatHoldsTheUserInACluster) {
  const TestCluster cluster(GetParam());
  await("every primary to count on its replica", [&] {
    return std::ranges::all_of(cluster.primaries(), [&](auto node) {
      return cluster.command(node, {"INFO", "replication"}).text.contains("state=online");
    });
  });
  auto store = RedisStore::connect(reading_from_replicas(cluster.connection())).value();
  for (int i = 0; i < 10; ++i) {
    auto session = new_session("user" + std::to_string(i), "session");
    ASSERT_TRUE(store.upsert(session).has_value());
    await("a replica's answer", [&] { return store.get_from_replica(session.key()).value() == session; });
  }
  for (const auto node : cluster.primaries()) {
    EXPECT_EQ(reads_of(cluster.server(node)), 0);
    EXPECT_GT(reads_of(cluster.server(cluster.replicas_of(node).front())), 0);
  }
}

OBOL_ON_BOTH_SERVERS(ReplicaReads);

}}  // namespace obol::testing
