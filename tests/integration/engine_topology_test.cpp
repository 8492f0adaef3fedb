// The engine on several servers: it finds the one that serves a key, whatever becomes of servers and slots.
#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "support/await.hpp"
#include "support/engine_test.hpp"
#include "support/fault_proxy.hpp"
#include "support/replicated_server.hpp"
#include "support/test_cluster.hpp"
#include "support/test_sentinel.hpp"

namespace obol::testing { namespace {

class EngineClusterTest : public ::testing::TestWithParam<ServerKind>, protected EngineDriver {
 protected:
  using Node = TestCluster::Node;

  void connect(const TestCluster& cluster) {
    start_engine({.connection = cluster.connection(), .timeouts = patient, .max_reply_bytes = 1024 * 1024});
  }
  /// The second word is the key.
  KeptCall& begin_for(std::vector<std::string_view> words, milliseconds time = patient.total) {
    auto& call = calls.emplace_back(std::vector{command_of(words)}, time);
    call.exchange.key = keys_.emplace_back(words.at(1));
    EXPECT_TRUE(engine->begin(call)) << call.text();
    return call;
  }
  KeptCall& call_for(std::vector<std::string_view> words) {
    auto& call = begin_for(std::move(words));
    drive_until([&] { return call.has_ended(); });
    EXPECT_TRUE(call.result()) << call.text();
    EXPECT_EQ(call.completions, 1);
    return call;
  }
  static Node other_than(const TestCluster& cluster, Node node) {
    const auto primaries = cluster.primaries();
    return *std::ranges::find_if(primaries, [node](Node other) { return other != node; });
  }
  static Command command_of(const std::vector<std::string_view>& words) { return Command(words); }

  std::deque<std::string> keys_;
};

TEST_P(EngineClusterTest, FollowsASlotThatMoves) {
  TestCluster cluster(GetParam(), {.replicas_each = 0});
  connect(cluster);
  const auto slot = cluster.slot_of("{k}1");
  const auto from = cluster.primary_of(slot);
  const auto to = other_than(cluster, from);
  call_for({"SET", "{k}1", "old"});
  cluster.begin_move(slot, to);
  EXPECT_EQ(call_for({"GET", "{k}1"}).text(), "old");
  // ASK.
  call_for({"SET", "{k}2", "new"});
  EXPECT_EQ(call_for({"GET", "{k}2"}).text(), "new");
  // TRYAGAIN, until both are at one node. Meanwhile others are served.
  auto& both = begin_for({"MGET", "{k}1", "{k}2"});
  for (int i = 0; i < 20; ++i) call_for({"SET", std::string("other") + std::to_string(i), "x"});
  EXPECT_FALSE(both.has_ended());
  cluster.move_keys(slot, to);
  cluster.finish_move(slot, to);
  drive_until([&] { return both.has_ended(); });
  ASSERT_TRUE(both.result()) << both.text();
  EXPECT_EQ(both.result()->replies.front().elements.at(1).text, "new");
  // MOVED, for many at once.
  for (int i = 0; i < 200; ++i) begin_for({"GET", "{k}1"});
  drive_all();
  for (auto& call : calls) EXPECT_TRUE(call.result()) << call.text();
}

TEST_P(EngineClusterTest, TheMaximumOfConnectionsCountsEachServerThatWasCalled) {
  TestCluster cluster(GetParam(), {.replicas_each = 0});
  start_engine({.connection = cluster.connection(),
                .pool = {.size = 1, .max_overflow = 0},
                .timeouts = patient,
                .max_reply_bytes = 1024 * 1024});
  const auto of_one = engine->statistics().maximum;
  EXPECT_EQ(of_one, 2U);
  const auto primaries = cluster.primaries();
  std::vector<std::string> keys;
  for (const auto node : primaries) {
    auto& key = keys.emplace_back("0");
    for (int i = 1; cluster.primary_of(key) != node; ++i) key = std::to_string(i);
  }
  for (const auto& key : keys) call_for({"SET", key, "x"});
  for (const auto node : primaries) cluster.pause(node);
  for (const auto& key : keys) begin_for({"GET", key});
  drive_until([&] { return engine->statistics().used == 3; });
  EXPECT_EQ(engine->statistics().maximum, 3 * of_one);
  for (const auto node : primaries) cluster.resume(node);
  drive_all();
}

// It is looked for as long as the call lasts, by one thread for all of them.
TEST_P(EngineClusterTest, ACallWhoseSlotNobodyServesEndsByItsDeadlineAlsoWhileNobodyAnswers) {
  TestCluster cluster(GetParam(), {.replicas_each = 0, .arguments = {"--cluster-require-full-coverage", "no"}});
  const auto slot = cluster.slot_of("nobody");
  const auto owner = cluster.primary_of(slot);
  for (const auto node : cluster.primaries()) {
    cluster.command(node, {"CLUSTER", "DELSLOTS", std::to_string(slot)});
  }
  await("the slot to be nobody's", [&] {
    return std::ranges::all_of(cluster.primaries(), [&](Node node) {
      return cluster.command(node, {"GET", "nobody"}).error_word() == "CLUSTERDOWN";
    });
  });
  connect(cluster);
  EXPECT_EQ(call_for({"SET", "key", "x"}).text(), "OK");
  for (std::size_t node = 0; node < cluster.size(); ++node) cluster.pause(node);
  for (int i = 0; i < 20; ++i) begin_for({"GET", "nobody"}, milliseconds(300));
  drive_all();
  for (std::size_t i = 1; i < calls.size(); ++i) {
    EXPECT_EQ(calls[i].code(), ErrorCode::unavailable) << calls[i].text();
    EXPECT_EQ(calls[i].completions, 1);
  }
  for (std::size_t node = 0; node < cluster.size(); ++node) cluster.resume(node);
  auto& waits = begin_for({"SET", "nobody", "x"});
  drive();
  cluster.command(owner, {"CLUSTER", "ADDSLOTS", std::to_string(slot)});
  drive_until([&] { return waits.has_ended(); });
  EXPECT_EQ(waits.text(), "OK");
}

TEST_P(EngineClusterTest, KeysOfOneCallAreAskedForAtTheirNodes) {
  TestCluster cluster(GetParam(), {.replicas_each = 0});
  connect(cluster);
  std::vector<std::string> keys;
  std::vector<Command> commands;
  for (int i = 0; i < 50; ++i) {
    keys.push_back("key" + std::to_string(i));
    commands.push_back({"GET", keys.back()});
    call_for({"SET", keys.back(), keys.back()});
  }
  KeptCall many(commands);
  many.exchange = {.kind = Exchange::Kind::each, .keys = keys, .commands = many.exchange.commands};
  const auto make = [&] {
    ASSERT_TRUE(engine->begin(many)) << many.text();
    const auto before = many.completions;
    drive_until([&] { return many.completions > before; });
  };
  make();
  ASSERT_TRUE(many.result()) << many.text();
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(many.result()->replies[i].text, keys[i]);
  // One key is refused: that is told, once the others are done.
  call_for({"DEL", "key7"});
  call_for({"HSET", "key7", "field", "value"});
  make();
  EXPECT_EQ(many.code(), ErrorCode::server);
  EXPECT_TRUE(many.text().contains("WRONGTYPE")) << many.text();
  // Cancelled while its parts are in the air, and begun again.
  cluster.pause(cluster.primary_of("key0"));
  ASSERT_TRUE(engine->begin(many));
  drive();
  engine->cancel(many);
  drive_until([&] { return many.completions == 3; });
  EXPECT_EQ(many.code(), ErrorCode::cancelled);
  cluster.resume(cluster.primary_of("key0"));
  call_for({"DEL", "key7"});
  make();
  EXPECT_TRUE(many.result()) << many.text();
  EXPECT_EQ(engine->statistics().waiting, 0U);
}

TEST_P(EngineClusterTest, OneNodeThatHangsHoldsNoCallsToOthersUp) {
  TestCluster cluster(GetParam(), {.replicas_each = 0, .node_timeout = milliseconds(600'000)});
  connect(cluster);
  call_for({"SET", "a", "x"});
  const auto hung = cluster.primary_of("a");
  std::vector<std::string> others;
  for (int i = 0; others.size() < 30; ++i) {
    auto key = "other" + std::to_string(i);
    if (cluster.primary_of(key) != hung) others.push_back(std::move(key));
  }
  cluster.pause(hung);
  auto& waits = begin_for({"GET", "a"});
  for (const auto& key : others) call_for({"SET", key, "x"});
  EXPECT_FALSE(waits.has_ended());
  cluster.resume(hung);
  drive_until([&] { return waits.has_ended(); });
  EXPECT_EQ(waits.text(), "x");
}

TEST_P(EngineClusterTest, FailOverIsWaitedOut) {
  TestCluster cluster(GetParam(), {.replicas_each = 1});
  connect(cluster);
  call_for({"SET", "key", "x"});
  const auto primary = cluster.primary_of("key");
  const auto replicas = cluster.replicas_of(primary);
  cluster.kill(primary);
  for (int i = 0; i < 100; ++i) begin_for({"SET", "key", std::to_string(i)});
  drive_all();
  for (auto& call : calls) EXPECT_TRUE(call.result()) << call.text();
  EXPECT_TRUE(cluster.is_primary(replicas.front()));
}

TEST_P(EngineClusterTest, ANodeThatHasLeftIsForgotten) {
  TestCluster cluster(GetParam(), {.replicas_each = 0});
  connect(cluster);
  for (int i = 0; i < 50; ++i) call_for({"SET", "key" + std::to_string(i), "x"});
  const auto primaries = cluster.primaries();
  const auto connections = [&] { return engine->statistics().idle + engine->statistics().used; };
  EXPECT_EQ(connections(), 3U);
  cluster.remove_primary(primaries.back(), primaries.front());
  for (int i = 0; i < 50; ++i) EXPECT_EQ(call_for({"GET", "key" + std::to_string(i)}).text(), "x");
  drive_until([&] { return connections() == 2; });
}

INSTANTIATE_TEST_SUITE_P(On, EngineClusterTest, ::testing::Values(ServerKind::redis, ServerKind::valkey),
                         [](const auto& parameter) { return name_of(parameter.param); });

class EngineSentinelTest : public EngineClusterTest {};

TEST_P(EngineSentinelTest, FailOverIsWaitedOut) {
  TestSentinel servers(GetParam(), {.replicas = 1});
  start_engine({.connection = servers.connection(), .timeouts = patient, .max_reply_bytes = 1024 * 1024});
  call_for({"SET", "key", "x"});
  const auto primary = servers.fail_over();
  for (int i = 0; i < 100; ++i) begin_for({"SET", "key", std::to_string(i)});
  drive_all();
  for (auto& call : calls) EXPECT_TRUE(call.result()) << call.text();
  EXPECT_EQ(servers.command(primary, {"EXISTS", "key"}).integer, 1);
}

INSTANTIATE_TEST_SUITE_P(On, EngineSentinelTest, ::testing::Values(ServerKind::redis, ServerKind::valkey),
                         [](const auto& parameter) { return name_of(parameter.param); });

/// One primary with a replica. The replica has a value of its own, so that it is seen who answered.
class EngineReplicaTest : public ::testing::TestWithParam<ServerKind>, protected EngineDriver {
 protected:
  void connect(const Timeouts& timeouts = patient) {
    start_engine({.connection = servers.primary.connection(),
                  .timeouts = timeouts,
                  .replica_reads = {.enabled = true, .max_lag = std::chrono::seconds(60)},
                  .max_reply_bytes = 1024 * 1024});
    servers.primary.command({"SET", "key", "primary"});
    await("the replica to have it", [&] { return servers.replica.command({"EXISTS", "key"}).integer == 1; });
    servers.replica.command({"CONFIG", "SET", "replica-read-only", "no"});
    servers.replica.command({"SET", "key", "replica"});
  }
  std::string read() {
    auto& call = calls.emplace_back(std::vector{Command{"GET", "key"}});
    call.exchange.may_ask_replica = true;
    EXPECT_TRUE(engine->begin(call));
    drive_until([&] { return call.has_ended(); });
    return call.text();
  }

  ReplicatedServer servers{GetParam()};
};

TEST_P(EngineReplicaTest, ReadsFromAReplicaWhatMayBeOld) {
  connect();
  EXPECT_EQ(read(), "replica");
  begin({"GET", "key"});
  drive_all();
  EXPECT_EQ(calls.back().text(), "primary");
}

TEST_P(EngineReplicaTest, ManyReadsAtOnceNeedNotKnowTheReplicaYet) {
  connect();
  for (int i = 0; i < 100; ++i) {
    auto& call = calls.emplace_back(std::vector{Command{"GET", "key"}});
    call.exchange.may_ask_replica = true;
    EXPECT_TRUE(engine->begin(call));
  }
  drive_all();
  for (auto& call : calls) EXPECT_TRUE(call.text() == "replica" || call.text() == "primary") << call.text();
  EXPECT_EQ(read(), "replica");
}

TEST_P(EngineReplicaTest, ThePrimaryAnswersForAReplicaThatIsLost) {
  connect({.connect = milliseconds(10'000), .command = milliseconds(1000), .total = milliseconds(60'000)});
  EXPECT_EQ(read(), "replica");
  servers.replica.signal(SIGSTOP);
  EXPECT_EQ(read(), "primary");
  servers.replica.signal(SIGCONT);
  servers.replica.stop();
  EXPECT_EQ(read(), "primary");
  EXPECT_EQ(read(), "primary");
}

TEST_P(EngineReplicaTest, AReadThatIsWithAReplicaCanBeCancelled) {
  connect();
  EXPECT_EQ(read(), "replica");
  servers.replica.signal(SIGSTOP);
  auto& call = calls.emplace_back(std::vector{Command{"GET", "key"}});
  call.exchange.may_ask_replica = true;
  ASSERT_TRUE(engine->begin(call));
  drive();
  engine->cancel(call);
  drive_until([&] { return call.has_ended(); });
  EXPECT_EQ(call.code(), ErrorCode::cancelled);
  servers.replica.signal(SIGCONT);
  EXPECT_EQ(read(), "replica");
}

TEST_P(EngineReplicaTest, CommandsThatGoTogetherAreAnsweredByOneConnection) {
  connect();
  KeptCall write({Command{"SET", "key", "written"}, Command{"WAIT", "1", "20000"}});
  write.exchange.kind = Exchange::Kind::exclusive;
  ASSERT_TRUE(engine->begin(write));
  drive_until([&] { return write.has_ended(); });
  ASSERT_TRUE(write.result()) << write.text();
  ASSERT_EQ(write.result()->replies.size(), 2U);
  EXPECT_EQ(write.result()->replies.back().integer, 1);
}

// A demoted primary goes on answering reads on old connections.
TEST_P(EngineReplicaTest, ADemotedPrimaryIsNoticedThoughNobodyWrites) {
  connect();
  begin({"GET", "key"});
  drive_all();
  servers.primary.command({"REPLICAOF", "127.0.0.1", "1"});
  while (client->counts().failed == 0) {
    auto& call = begin({"GET", "key"});
    drive_until([&] { return call.has_ended() || client->counts().failed > 0; });
  }
  servers.primary.command({"REPLICAOF", "NO", "ONE"});
  drive_all();
  for (auto& call : calls) EXPECT_EQ(call.text(), "primary");
}

INSTANTIATE_TEST_SUITE_P(On, EngineReplicaTest, ::testing::Values(ServerKind::redis, ServerKind::valkey),
                         [](const auto& parameter) { return name_of(parameter.param); });

/// A write whose expiry the server's clock is compared with.
class TimedWrite final : public EngineCall {
 public:
  explicit TimedWrite(redis::ServerClock::Expiry expiry) {
    exchange = {.kind = Exchange::Kind::write, .key = "key", .expiry = expiry};
    deadline = Deadline::after(patient.total);
  }
  bool has_ended = false;
  mutable bool asked_time = false;

 private:
  void complete() override { has_ended = true; }
  void drop() noexcept override {}
  Command make_write(bool checks_clock) const override {
    asked_time = checks_clock;
    return {"SET", "key", "value"};
  }
};

class EngineServiceTest : public EngineServerTest {
 protected:
  std::unique_ptr<TimedWrite> write_until(std::chrono::hours from_now) {
    auto write = std::make_unique<TimedWrite>(
        std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now() + from_now));
    EXPECT_TRUE(engine->begin(*write));
    drive_until([&] { return write->has_ended; });
    EXPECT_TRUE(write->result()) << write->result().error().message;
    return write;
  }
  long calls_of(std::string_view command) const {
    const auto told = server.command({"INFO", "commandstats"});
    const auto name = "cmdstat_" + std::string(command) + ":calls=";
    const auto at = told.text.find(name);
    return at == std::string_view::npos ? 0 : std::atol(told.text.data() + at + name.size());
  }
};

TEST_P(EngineServiceTest, AWriteAsksForTheServersTimeUnlessItsClockIsKnownToBeWellBefore) {
  connect(server.connection());
  const auto first = write_until(std::chrono::hours(1));
  EXPECT_TRUE(first->asked_time);
  ASSERT_EQ(first->result()->replies.size(), 1U);
  EXPECT_EQ(first->result()->replies.front().text, "OK");
  EXPECT_FALSE(first->result()->is_past);
  const auto past = write_until(-std::chrono::hours(1));
  EXPECT_TRUE(past->asked_time);
  EXPECT_TRUE(past->result()->is_past);
}

TEST_P(EngineServiceTest, OneCallLoadsTheFunctionsForAllThatMissThem) {
  connect(server.connection());
  begin({"PING"});
  drive_all();
  server.command({"FUNCTION", "FLUSH"});
  const auto loaded = calls_of("function|load");
  for (int i = 0; i < 100; ++i) {
    auto& call = calls.emplace_back(std::vector{probe_command("key")});
    ASSERT_TRUE(engine->begin(call));
  }
  // Others go on meanwhile.
  begin({"ECHO", "other"});
  drive_all();
  for (auto& call : calls) EXPECT_TRUE(call.result()) << call.text();
  EXPECT_EQ(calls_of("function|load") - loaded, 1);
}

// The call that has them loaded may have less time than those that wait with it.
TEST_P(EngineServiceTest, FunctionsAreLoadedWhoeverGivesUpMeanwhile) {
  FaultProxy proxy(server);
  connect(proxy.connection());
  begin({"PING"});
  drive_all();
  server.command({"FUNCTION", "FLUSH"});
  const auto loaded = calls_of("function|load");
  proxy.once(Fault::delay(milliseconds(1000)), "FUNCTION");
  auto& hasty = calls.emplace_back(std::vector{probe_command("key")}, milliseconds(300));
  ASSERT_TRUE(engine->begin(hasty));
  auto& waits = calls.emplace_back(std::vector{probe_command("key")});
  ASSERT_TRUE(engine->begin(waits));
  drive_all();
  EXPECT_TRUE(hasty.code()) << hasty.text();
  EXPECT_TRUE(waits.result()) << waits.text();
  EXPECT_EQ(calls_of("function|load") - loaded, 1);
}

TEST_P(EngineServiceTest, AConnectionTakesNewCredentialsWithTheNextCommand) {
  connect(server.connection());
  begin({"ACL", "WHOAMI"});
  drive_all();
  EXPECT_EQ(calls.back().text(), "default");
  const auto opened = client->counts().opened.load();
  server.command({"ACL", "SETUSER", "other", "on", ">secret", "~*", "&*", "+@all"});
  client->replace_credentials({.username = "other", .password = "secret"});
  begin({"ACL", "WHOAMI"});
  drive_all();
  EXPECT_EQ(calls.back().text(), "other");
  EXPECT_EQ(client->counts().opened.load(), opened);
}

OBOL_ON_BOTH_SERVERS(EngineServiceTest);

}}  // namespace obol::testing
