// Servers that Obol is not tested on: what they can do decides whether a store uses them, not what they call
// themselves.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "obol/redis_store.hpp"
#include "support/lookalike.hpp"
#include "support/test_cluster.hpp"
#include "support/tested_store.hpp"

namespace obol::testing { namespace {

/// Every kind of call, each with what it must have come to.
void live(SessionStore& store) {
  auto session = new_session();
  const auto created = store.upsert(session);
  ASSERT_TRUE(created.has_value()) << created.error().message;
  ASSERT_TRUE(store.upsert(session).has_value());
  EXPECT_EQ(session.lock_version, 2U);
  EXPECT_EQ(store.get(session.key()).value(), session);
  auto late = session;
  late.lock_version = 1;
  EXPECT_EQ(store.upsert(late).error().code, ErrorCode::conflict);
  ASSERT_TRUE(store.rotate_id(session).has_value());
  auto other = new_session("user", "other");
  ASSERT_TRUE(store.upsert(other).has_value());
  EXPECT_EQ(store.get_all("user", "full").value().size(), 2U);
  ASSERT_TRUE(store.delete_others(session.key()).has_value());
  EXPECT_EQ(store.get_all("user", "full").value(), std::vector{session});
  ASSERT_TRUE(store.delete_one(session.key()).has_value());
  EXPECT_EQ(store.get(session.key()).value(), std::nullopt);
  ASSERT_TRUE(store.upsert(other = new_session("user", "another")).has_value());
  ASSERT_TRUE(store.delete_all("user", "full").has_value());
  EXPECT_TRUE(store.get_all("user", "full").value().empty());
}

const Finding* find(const std::vector<Finding>& findings, std::string_view topic) {
  const auto found = std::ranges::find(findings, topic, &Finding::topic);
  return found == findings.end() ? nullptr : &*found;
}

std::vector<Lookalike> usable() {
  return {
      redis_7_4(),
      {.name = "Valkey8", .hello = hello_of({{"server", "valkey"}, {"version", "8.1.3"}, {"role", "master"}})},
      {.name = "AnotherKind", .hello = hello_of({{"server", "kin"}, {"version", "1.40"}, {"role", "master"}})},
      {.name = "FewFields", .hello = hello_of({{"server", "redis"}, {"proto", ":3"}, {"mode", "standalone"}})},
      {.name = "NoFields", .hello = "%0\r\n"},
      {.name = "UnknownFields",
       .hello = "%4\r\n+tier\r\n+gold\r\n+modules\r\n*1\r\n%1\r\n+name\r\n+search\r\n+limits\r\n%1\r\n+rps\r\n:100\r\n"
                "+role\r\n+master\r\n"},
      {.name = "NoInfoConfigClient",
       .hello = hello_of_version("7.2.5"),
       .lacks = {"INFO", "CONFIG", "CLIENT", "WAIT", "SELECT", "CLUSTER"}},
      {.name = "NoFunctions", .hello = hello_of_version("7.4.0"), .lacks = {"FUNCTION", "FCALL"}},
      {.name = "NoFunctionsAndNoFlags",
       .hello = hello_of({{"server", "redis"}, {"version", "7.4.0"}, {"role", "master"}}),
       .lacks = {"FUNCTION", "FCALL"},
       .takes_flags = false},
      {.name = "TimeInNumbers", .hello = hello_of_version("7.4.0"), .tells_time_in_numbers = true},
      {.name = "NoRole", .hello = "%0\r\n", .lacks = {"ROLE"}}};
}

class UsableServer : public ::testing::TestWithParam<std::tuple<StoreOnServer, Lookalike>> {
 protected:
  TestedStore tested_store(const RedisStoreOptions& options) const { return {std::get<0>(GetParam()).store, options}; }

  LookalikeServer like{std::get<0>(GetParam()).server, std::get<1>(GetParam())};
};

std::string name_of_case(const ::testing::TestParamInfo<UsableServer::ParamType>& info) {
  return name_of(std::get<0>(info.param)) + "_" + std::string(std::get<1>(info.param).name);
}

TEST_P(UsableServer, IsUsedAndToldAsOneThatObolIsNotTestedOn) {
  auto options = options_for(like.connection());
  auto store = tested_store(options);
  live(store);
  options.policy = {.max_sessions = 5, .revocation_mark_lifetime = std::chrono::seconds(60)};
  auto managed = tested_store(options);
  live(managed);
  const auto findings = managed.diagnose().value();
  const auto* untested = find(findings, "untested_server");
  ASSERT_NE(untested, nullptr);
  EXPECT_EQ(untested->severity, Severity::warning);
  EXPECT_TRUE(
      std::ranges::none_of(findings, [](const Finding& finding) { return finding.severity == Severity::problem; }));
  const bool says_role = std::get<1>(GetParam()).name != "NoRole";
  EXPECT_EQ(find(findings, "role") == nullptr, says_role);
}

INSTANTIATE_TEST_SUITE_P(On, UsableServer,
                         ::testing::Combine(::testing::ValuesIn(all_stores_once()), ::testing::ValuesIn(usable())),
                         name_of_case);

TEST(ValkeyWithRedisCompatibility, IsUsedThoughItCallsItselfRedis) {
  const TestServer server(ServerKind::valkey, {"--extended-redis-compatibility", "yes"});
  auto store = store_on(server);
  live(store);
  const auto findings = store.diagnose().value();
  const auto* untested = find(findings, "untested_server");
  ASSERT_NE(untested, nullptr);
  EXPECT_NE(untested->message.find("calls itself Redis 7.2."), std::string::npos) << untested->message;
}

class ServerThatLacks : public ServerTest {
 protected:
  /// What connecting to a server without these comes to.
  Error refused(std::vector<std::string> commands, const RedisStoreOptions& options = {}) {
    auto like = redis_7_4();
    like.lacks = std::move(commands);
    const LookalikeServer server_like(GetParam(), like);
    auto all = options_for(server_like.connection());
    all.policy = options.policy;
    all.delete_durability = options.delete_durability;
    all.near_cache = options.near_cache;
    all.replica_reads = options.replica_reads;
    all.functions = options.functions;
    const auto store = RedisStore::connect(all);
    return store ? Error{} : store.error();
  }
  static bool names(const Error& error, std::string_view command) {
    return error.code == ErrorCode::unsupported_server && error.message.contains(command);
  }
};

TEST_P(ServerThatLacks, ACommandOfEveryStoreIsUnsupportedAtConnectAndTheMessageNamesIt) {
  for (const std::string command :
       {"HSETEX", "HPEXPIRETIME", "HGET", "HGETALL", "HKEYS", "HLEN", "HDEL", "UNLINK", "TIME", "ECHO"}) {
    const auto error = refused({command});
    EXPECT_TRUE(names(error, command)) << command << ": " << error.message;
  }
  const auto all = refused({"HSETEX", "HPEXPIRETIME"});
  EXPECT_TRUE(names(all, "Redis 7.4.0 found, which lacks HSETEX, HPEXPIRETIME (")) << all.message;
}

TEST_P(ServerThatLacks, ACommandOfAnOptionIsUnsupportedForThatOptionOnly) {
  struct Case {
    std::string command;
    RedisStoreOptions options;
  };
  std::vector<Case> cases{{"WAIT", {}}, {"HSCAN", {}}, {"GET", {}}, {"CLIENT", {}}, {"INFO", {}}};
  cases[0].options.delete_durability.replicas = 1;
  cases[1].options.policy.max_sessions = 3;
  cases[2].options.policy.revocation_mark_lifetime = std::chrono::seconds(60);
  cases[3].options.near_cache.enabled = true;
  cases[4].options.replica_reads.enabled = true;
  for (const auto& [command, options] : cases) {
    const auto error = refused({command}, options);
    EXPECT_TRUE(names(error, command)) << command << ": " << error.message;
    EXPECT_FALSE(refused({command}).code) << command;
  }
}

TEST_P(ServerThatLacks, FunctionsAndScriptsIsNamed) {
  const auto error = refused({"FUNCTION", "FCALL", "SCRIPT", "EVAL", "EVALSHA"});
  EXPECT_TRUE(names(error, " to SCRIPT LOAD: ")) << error.message;
  auto options = RedisStoreOptions();
  options.functions = FunctionLoading::require_loaded;
  const auto strict = refused({"FUNCTION", "FCALL"}, options);
  EXPECT_TRUE(names(strict, " to FCALL: ")) << strict.message;
}

TEST_P(ServerThatLacks, RoleOrNumberInHelloIsTakenWithoutANearCache) {
  for (const auto& hello : {hello_of({{"server", "redis"}, {"proto", ":3"}, {"id", ":7"}}),
                            hello_of({{"server", "redis"}, {"proto", ":3"}, {"role", "master"}})}) {
    const LookalikeServer like(GetParam(), {.name = "Untold", .hello = hello});
    auto options = options_for(like.connection());
    EXPECT_TRUE(RedisStore::connect(options).has_value());
    options.near_cache.enabled = true;
    const auto store = RedisStore::connect(options);
    ASSERT_FALSE(store.has_value());
    EXPECT_TRUE(names(store.error(), "switch near_cache off")) << store.error().message;
  }
}

/// As Dragonfly and KeyDB had it: a time to live in seconds, then fields.
TEST_P(ServerThatLacks, TheFormInWhichObolUsesItIsToldApartFromTheCommand) {
  for (const std::string error : {"ERR value is not an integer or out of range", "ERR syntax error"}) {
    LookalikeServer like(GetParam(), redis_7_4());
    like.refuse("HSETEX", error);
    const auto store = RedisStore::connect(options_for(like.connection()));
    ASSERT_FALSE(store.has_value());
    EXPECT_TRUE(names(store.error(), "lacks HSETEX with FNX and PXAT")) << store.error().message;
  }
}

/// A write is not told from one that has expired without it.
TEST_P(ServerThatLacks, ATimeThatIsUnderstoodIsNamed) {
  LookalikeServer like(GetParam(), redis_7_4());
  like.proxy().always(Fault::garbage("*2\r\n+now\r\n+soon\r\n"), "TIME");
  like.proxy().once(Fault::garbage(*redis_7_4().hello), "HELLO");
  const auto store = RedisStore::connect(options_for(like.connection()));
  ASSERT_FALSE(store.has_value());
  EXPECT_TRUE(names(store.error(), "lacks TIME")) << store.error().message;
}

OBOL_ON_BOTH_SERVERS(ServerThatLacks);

class Probe : public ServerTest {
 protected:
  std::error_code outcome_of(const RedisStoreOptions& options) {
    const auto store = RedisStore::connect(options);
    return store ? std::error_code() : store.error().code;
  }
  RedisStoreOptions options() { return options_for(like.connection()); }

  LookalikeServer like{GetParam(), redis_7_4()};
};

TEST_P(Probe, IsNotMadeOfAServerThatObolIsTestedOn) {
  LookalikeServer itself(GetParam(), {.name = "Itself"});
  auto store = RedisStore::connect(options_for(itself.connection())).value();
  EXPECT_EQ(itself.proxy().commands(), 3U) << "HELLO, FUNCTION LOAD, ECHO";
  EXPECT_EQ(itself.probes(), 0U);
  EXPECT_EQ(find(store.diagnose().value(), "untested_server"), nullptr);
}

TEST_P(Probe, GoesOutWithWhatLoadsTheFunctions) {
  like.proxy().once(Fault::cut_before_reply(), "HSETEX");
  EXPECT_EQ(outcome_of(options()), ErrorCode::unavailable);
  // They came without waiting for what HSETEX is answered.
  const auto loaded = [&] { return like.server().command({"FUNCTION", "LIST"}).elements.size() == 1; };
  await("the functions to be loaded", loaded);
}

TEST_P(Probe, IsMadeOnceAndNotByLaterConnections) {
  auto store = RedisStore::connect(options()).value();
  const auto connections = like.proxy().connections();
  for (int i = 0; i < 3; ++i) {
    like.server().command({"CLIENT", "KILL", "TYPE", "normal"});
    EXPECT_TRUE(store.get_all("user", "full").has_value());
  }
  EXPECT_GT(like.proxy().connections(), connections);
  EXPECT_EQ(like.probes(), 1U);
}

TEST_P(Probe, LeavesNothingOnTheServerAndTakesNothingAway) {
  auto store = RedisStore::connect(options()).value();
  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(outcome_of(options()));
  EXPECT_EQ(like.server().command({"DBSIZE"}).integer, 1);
  EXPECT_EQ(store.get(session.key()).value(), session);
}

TEST_P(Probe, TakesAMissingRightForNoLack) {
  ASSERT_FALSE(outcome_of(options())) << "loads the functions";
  like.server().command({"ACL", "SETUSER", "web", "on", ">right", "~obol_*", "-@all", "+hsetex", "+fcall", "+echo"});
  like.server().command({"ACL", "SETUSER", "web", "+hget", "+hlen", "+hkeys", "+hpexpiretime"});
  auto limited = options();
  limited.connection.username = "web";
  limited.connection.password = "right";
  limited.functions = FunctionLoading::require_loaded;
  const auto connected = RedisStore::connect(limited);
  ASSERT_TRUE(connected.has_value()) << connected.error().message;
  like.server().command({"ACL", "SETUSER", "web", "-hsetex"});
  auto store = RedisStore::connect(limited).value();
  auto session = new_session();
  EXPECT_EQ(store.upsert(session).error().code, ErrorCode::permission);
}

TEST_P(Probe, TakesAFullMemoryForNoLack) {
  like.server().command({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_EQ(outcome_of(options()), ErrorCode::out_of_memory) << "the functions cannot be loaded";
  like.server().command({"CONFIG", "SET", "maxmemory", "0"});
  ASSERT_FALSE(outcome_of(options()));
  like.server().command({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_FALSE(outcome_of(options()));
}

TEST_P(Probe, TakesAReplicaThatDoesNotSayWhatItIsForUnavailable) {
  LookalikeServer untold(GetParam(), {.name = "Untold", .hello = "%0\r\n", .lacks = {"ROLE"}});
  untold.server().command({"REPLICAOF", "127.0.0.1", "1"});
  EXPECT_EQ(outcome_of(options_for(untold.connection())), ErrorCode::unavailable);
  LookalikeServer by_role(GetParam(), {.name = "ByRole", .hello = "%0\r\n"});
  by_role.server().command({"REPLICAOF", "127.0.0.1", "1"});
  const auto error = RedisStore::connect(options_for(by_role.connection())).error();
  EXPECT_EQ(error.code, ErrorCode::unavailable);
  EXPECT_NE(error.message.find("this server is a replica"), std::string::npos) << error.message;
}

TEST_P(Probe, SeesAServerThatKeepsWhatHasExpired) {
  like.proxy().once(Fault::garbage("$0\r\n\r\n"), "HGET");
  const auto error = RedisStore::connect(options()).error();
  EXPECT_EQ(error.code, ErrorCode::unsupported_server);
  EXPECT_NE(error.message.find("HSETEX that expires"), std::string::npos) << error.message;
}

TEST_P(Probe, PassesOnAClusterOfOneShardAsOneServerAndAsACluster) {
  const TestCluster cluster(GetParam(), {.primaries = 1, .replicas_each = 0});
  FaultProxy front(cluster.server(0));
  front.always(
      Fault::garbage(hello_of({{"server", "redis"}, {"version", "7.4.0"}, {"mode", "cluster"}, {"role", "master"}})),
      "HELLO");
  auto as_one = RedisStore::connect(options_for(front.connection())).value();
  live(as_one);
  EXPECT_NE(find(as_one.diagnose().value(), "untested_server"), nullptr);
  auto as_cluster = options_for(ConnectionOptions{});
  as_cluster.connection.cluster.seeds = {{.host = front.tcp_connection().host, .port = front.tcp_connection().port}};
  as_cluster.connection.address_map = {
      {{.host = cluster.host(), .port = cluster.port(0)}, as_cluster.connection.cluster.seeds.front()}};
  auto store = RedisStore::connect(as_cluster).value();
  live(store);
  EXPECT_NE(find(store.diagnose().value(), "untested_server"), nullptr);
}

OBOL_ON_BOTH_SERVERS(Probe);

/// A server that passes the probe and has a command no more later, such as one that a fail-over leads to.
class RefusedLater : public ::testing::TestWithParam<StoreOnServer> {
 protected:
  LookalikeServer like{GetParam().server, redis_7_4()};
  TestedStore store{GetParam().store, options_for(like.connection())};
};

TEST_P(RefusedLater, IsNamedAndNothingIsTakenForStored) {
  const std::string unknown = "ERR unknown command";
  auto session = new_session();
  like.refuse("HSETEX", unknown);
  auto outcome = store.upsert(session);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, ErrorCode::unsupported_server);
  EXPECT_NE(outcome.error().message.find(" to HSETEX: "), std::string::npos) << outcome.error().message;
  EXPECT_EQ(session.lock_version, 0U);
  like.heal();
  EXPECT_EQ(store.get(session.key()).value(), std::nullopt);
  ASSERT_TRUE(store.upsert(session).has_value());

  const auto stored = session;
  like.refuse("FCALL", "ERR Unknown Redis command called from script script: obol, on @user_function:1.");
  session.extra_payload = "newer";
  outcome = store.upsert(session);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, ErrorCode::unsupported_server);
  EXPECT_NE(outcome.error().message.find(" to FCALL: the function calls a command"), std::string::npos)
      << outcome.error().message;
  EXPECT_EQ(session.lock_version, 1U);
  EXPECT_EQ(store.get(session.key()).value(), stored);
  EXPECT_FALSE(store.rotate_id(session).has_value());
  EXPECT_FALSE(store.delete_others(session.key()).has_value());
  EXPECT_EQ(store.get_all("user", "full").value(), std::vector{stored});
}

TEST_P(RefusedLater, IsNamedAndNothingIsTakenForDeletedOrAbsent) {
  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  const auto expect_named = [&](const std::string& command, const auto& call) {
    like.refuse(command, "ERR unknown command");
    const auto outcome = call();
    ASSERT_FALSE(outcome.has_value()) << command;
    EXPECT_EQ(outcome.error().code, ErrorCode::unsupported_server) << command;
    EXPECT_NE(outcome.error().message.find(" to " + command + ": "), std::string::npos) << outcome.error().message;
    like.heal();
    EXPECT_EQ(store.get(session.key()).value(), session) << command;
  };
  expect_named("HDEL", [&] { return store.delete_one(session.key()); });
  expect_named("UNLINK", [&] { return store.delete_all("user", "full"); });
  expect_named("HGET", [&] { return store.get(session.key()); });
  expect_named("HGETALL", [&] { return store.get_all("user", "full"); });
}

OBOL_ON_STORES(RefusedLater, all_stores());

}}  // namespace obol::testing
