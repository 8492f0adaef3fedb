// Functions as scripts: chosen by option or by itself, lost and loaded again, beside those of another release, with the
// rights that they need.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "redis/client/client.hpp"
#include "redis/protocol/function_library.hpp"
#include "store/client_options.hpp"
#include "store/session_commands.hpp"
#include "support/await.hpp"
#include "support/fault_proxy.hpp"
#include "support/lookalike.hpp"
#include "support/monitor.hpp"
#include "support/recording_observer.hpp"
#include "support/replicated_server.hpp"
#include "support/store_calls.hpp"
#include "support/test_cluster.hpp"
#include "support/tested_store.hpp"

namespace obol::testing { namespace {

using std::chrono::seconds;

class FunctionScripts : public TestedStoreTest {
 protected:
  /// As the kinds of store of this test use functions by themselves.
  TestedStore store_that_chooses(const RedisStoreOptions& options) const { return {GetParam().store, options}; }

  /// Everything that calls a function, with a policy and without.
  static void expect_all_functions_work(TestedStore& store, const std::string& user = "user") {
    auto session = new_session(user, "first");
    session.created_at -= seconds(10);
    for (int version = 1; version <= 2; ++version) {
      const auto stored = store.upsert(session);
      ASSERT_TRUE(stored.has_value()) << stored.error().message;
    }
    const auto rotated = store.rotate_id(session);
    ASSERT_TRUE(rotated.has_value()) << rotated.error().message;
    auto other = new_session(user, "other");
    other.created_at -= seconds(10);
    ASSERT_FALSE(code_of(store.upsert(other)));
    ASSERT_FALSE(code_of(store.delete_others(session.key())));
    EXPECT_EQ(store.get_all(user, "full").value(), std::vector{session});
    ASSERT_FALSE(code_of(store.delete_all(user, "full")));
    EXPECT_TRUE(store.get_all(user, "full")->empty());
  }

  std::size_t times_loaded() const { return observer->count("functions_loaded"); }

  std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();
};

TEST_P(FunctionScripts, AreLoadedOnceAndNeedNoFunction) {
  Monitor monitor(server);
  auto options = options_for(server, observer);
  options.policy = {.max_sessions = 3, .revocation_mark_lifetime = seconds(60)};
  auto store = tested_store(options);
  expect_all_functions_work(store);
  EXPECT_EQ(times_loaded(), 1U);
  auto second = tested_store(options_for(server, observer));
  expect_all_functions_work(second, "another user");
  EXPECT_EQ(times_loaded(), 1U) << "they stand already";
  const auto commands = monitor.commands();
  const auto calls = [&](std::string_view word) {
    return std::ranges::count_if(commands, [&](const std::string& command) { return command.starts_with(word); });
  };
  EXPECT_EQ(calls("\"FUNCTION\"") + calls("\"FCALL\""), 0);
  EXPECT_GT(calls("\"EVALSHA\""), 0);
}

TEST_P(FunctionScripts, AreLoadedAgainIfTheServerHasLostThem) {
  auto store = tested_store(options_for(server, observer));
  auto session = new_session();
  ASSERT_FALSE(code_of(store.upsert(session)));
  for (int i = 0; i < 3; ++i) {
    lose_functions();
    ASSERT_FALSE(code_of(store.upsert(session)));
    lose_functions();
    ASSERT_FALSE(code_of(store.delete_others(session.key())));
  }
  EXPECT_EQ(times_loaded(), 7U);
  server.stop();
  server.start();
  session.lock_version = 0;
  ASSERT_FALSE(code_of(store.upsert(session)));
  ASSERT_FALSE(code_of(store.upsert(session)));
  EXPECT_EQ(times_loaded(), 8U);
}

TEST_P(FunctionScripts, MayBeLostUnderLoad) {
  auto store = tested_store(options_for(server));
  constexpr int threads = 8;
  std::atomic<int> done = 0;
  std::vector<std::jthread> writers;
  for (int thread = 0; thread < threads; ++thread) {
    writers.emplace_back([&, thread](const std::stop_token& stop) {
      auto session = new_session("user", std::to_string(thread));
      for (std::uint64_t write = 1; !stop.stop_requested(); ++write, ++done) {
        const auto outcome = store.upsert(session);
        ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
        ASSERT_EQ(session.lock_version, write) << "a repeated call was run twice";
      }
    });
  }
  for (int loss = 0; loss < 30 && !HasFailure(); ++loss) {
    lose_functions();
    const int before = done;
    await("more writes", [&] { return done >= before + threads || HasFailure(); });
  }
}

/// What a release with other Lua code would load.
TEST_P(FunctionScripts, OfAnotherReleaseStandBesideThem) {
  const auto ours = session_functions();
  std::vector<std::string> sources;
  std::vector<redis::ServerScript> scripts;
  for (const auto& script : ours.scripts) sources.push_back(std::string(script.source) + "-- another release\n");
  const auto hash_of = [&](std::string_view source) {
    return std::string(server.command({"SCRIPT", "LOAD", source}).text);
  };
  std::vector<std::string> hashes;
  for (const auto& source : sources) hashes.push_back(hash_of(source));
  for (std::size_t i = 0; i < sources.size(); ++i) {
    scripts.push_back({.function = ours.scripts[i].function, .sha1 = hashes[i], .source = sources[i]});
    EXPECT_NE(scripts[i].sha1, ours.scripts[i].sha1);
  }
  lose_functions();

  auto store = tested_store(options_for(server, observer));
  auto options = options_for(server);
  options.functions = FunctionLoading::scripts;
  redis::Client theirs(client_options(options), {.name = "obol_0", .source = ours.source, .scripts = scripts});
  ASSERT_TRUE(theirs.start(
      "obol_{}:probe", [](std::string_view key) { return probe_command(key); },
      [](std::string_view) { return std::vector<redis::Capability>(); }));
  auto session = new_session();
  for (int round = 0; round < 3; ++round) {
    ASSERT_FALSE(code_of(store.upsert(session)));
    const auto conflict = theirs.call(
        "key",
        {"FCALL", scripts.front().function, "1", "obol_{user}:full", "session", "version", "", "9999999999999", "0"},
        theirs.new_deadline());
    ASSERT_TRUE(conflict.has_value()) << conflict.error().message;
    EXPECT_EQ(conflict->kind, redis::Reply::Kind::text) << "the session that our script has stored";
    lose_functions();
  }
}

TEST_P(FunctionScripts, AreLoadedIntoAReplicaThatBecomesThePrimary) {
  ReplicatedServer servers(GetParam().server);
  FaultProxy proxy(servers.primary);
  auto options = options_for(proxy.connection(), observer);
  auto store = tested_store(options);
  auto session = new_session();
  ASSERT_FALSE(code_of(store.upsert(session)));
  await("the replica to have the session",
        [&] { return servers.replica.command({"HLEN", "obol_{user}:full"}).integer == 1; });
  const auto script = session_functions().scripts.front();
  ASSERT_EQ(servers.replica.command({"SCRIPT", "EXISTS", script.sha1}).elements.front().integer, 0);
  proxy.lead_to(servers.replica);
  servers.replica.command({"REPLICAOF", "NO", "ONE"});
  servers.primary.stop();
  ASSERT_FALSE(code_of(store.upsert(session)));
  EXPECT_EQ(session.lock_version, 2U);
  EXPECT_EQ(times_loaded(), 2U);
}

TEST_P(FunctionScripts, AreLoadedIntoEachNodeOfAClusterWhenItFirstLacksThem) {
  TestCluster cluster(GetParam().server, {.replicas_each = 0});
  auto options = options_for(cluster.connection(), observer);
  options.policy = {.max_sessions = 3, .revocation_mark_lifetime = seconds(60)};
  auto store = tested_store(options);
  for (int user = 0; user < 30; ++user) expect_all_functions_work(store, "user" + std::to_string(user));
  EXPECT_EQ(times_loaded(), 3U);

  // Asked with ASKING, also where the new node lacks them.
  auto session = new_session("moved");
  session.created_at -= seconds(10);
  ASSERT_FALSE(code_of(store.upsert(session)));
  const auto slot = cluster.slot_of(stored_key("obol_", "moved", "full"));
  const auto from = cluster.primary_of(slot);
  const auto to = cluster.other_primary(from);
  cluster.begin_move(slot, to);
  cluster.move_keys(slot, to);
  cluster.command(to, {"SCRIPT", "FLUSH"});
  ASSERT_FALSE(code_of(store.upsert(session)));
  EXPECT_EQ(store.get(session.key()).value(), session);
  EXPECT_EQ(times_loaded(), 4U);
}

TEST_P(FunctionScripts, OfDeletesWorkWithoutMemory) {
  auto options = options_for(server, observer);
  options.policy.revocation_mark_lifetime = seconds(60);
  options.policy.mark_on_delete_others = true;
  auto store = tested_store(options);
  auto session = new_session();
  auto other = new_session("user", "other");
  for (auto* one : {&session, &other}) {
    one->created_at -= seconds(10);
    ASSERT_FALSE(code_of(store.upsert(*one)));
  }
  server.command({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_EQ(code_of(store.upsert(session)), ErrorCode::out_of_memory);
  auto rotated = session;
  EXPECT_EQ(code_of(store.rotate_id(rotated)), ErrorCode::out_of_memory);
  EXPECT_FALSE(code_of(store.delete_others(session.key())));
  EXPECT_EQ(store.get_all("user", "full").value(), std::vector{session});
  EXPECT_FALSE(code_of(store.delete_all("user", "full")));
  EXPECT_EQ(store.get(session.key()).value(), std::nullopt);
  // Unlike a library, scripts can be loaded into a server that is full.
  lose_functions();
  auto late = tested_store(options);
  EXPECT_FALSE(code_of(late.delete_all("user", "full")));
  server.command({"CONFIG", "SET", "maxmemory", "0"});
  other.lock_version = 0;
  EXPECT_EQ(code_of(late.upsert(other)), ErrorCode::revoked) << "the mark was left";
}

TEST_P(FunctionScripts, NeedNoRightToFunctions) {
  server.command({"ACL", "SETUSER", "web", "on", ">right", "~obol_*", "+@all", "-function", "-fcall", "-eval"});
  auto options = options_for(server, observer);
  options.connection.username = "web";
  options.connection.password = "right";
  auto store = tested_store(options);
  expect_all_functions_work(store);

  server.command({"ACL", "SETUSER", "web", "-script"});
  lose_functions();
  auto session = new_session();
  ASSERT_FALSE(code_of(store.upsert(session)));
  const auto refused = store.upsert(session);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::permission);
  EXPECT_NE(refused.error().message.find("+script|load"), std::string::npos) << refused.error().message;
}

OBOL_ON_STORES(FunctionScripts, script_stores());

// ---- servers without a command

class ScriptsByThemselves : public FunctionScripts {
 protected:
  static std::vector<std::string> without(std::initializer_list<std::string_view> commands) {
    std::vector<std::string> arguments;
    for (const auto command : commands)
      arguments.insert(arguments.end(), {"--rename-command", std::string(command), ""});
    return arguments;
  }

  Error refused(const TestServer& lacking, FunctionLoading functions) const {
    auto options = options_for(lacking);
    options.functions = functions;
    const auto store = RedisStore::connect(options);
    return store ? Error{} : store.error();
  }
};

TEST_P(ScriptsByThemselves, AreUsedIfTheServerKnowsNoFunctions) {
  for (const auto& missing : {without({"FUNCTION"}), without({"FUNCTION", "FCALL"}), without({"FCALL"})}) {
    const TestServer lacking(GetParam().server, missing);
    Monitor monitor(lacking);
    auto store = store_that_chooses(options_for(lacking, observer));
    expect_all_functions_work(store);
    const auto commands = monitor.commands();
    EXPECT_TRUE(std::ranges::any_of(commands, [](const auto& command) { return command.starts_with("\"EVALSHA\""); }));
    const auto findings = store.diagnose().value();
    EXPECT_TRUE(std::ranges::any_of(findings, [](const Finding& finding) { return finding.topic == "functions"; }));
    for (const auto& finding : findings) EXPECT_NE(finding.severity, Severity::problem) << finding.message;
  }
}

TEST_P(ScriptsByThemselves, AreUsedBehindAProxyThatPassesNoFunctionsOn) {
  for (const auto* const words : {"-ERR unknown command\r\n", "-ERR command not supported\r\n",
                                  "-ERR invalid command\r\n", "-unsupported command\r\n"}) {
    for (const auto* const command : {"FUNCTION", "FCALL"}) {
      server.command({"FLUSHALL"});
      FaultProxy proxy(server);
      proxy.always(Fault::garbage(words), command);
      auto store = store_that_chooses(options_for(proxy.connection()));
      expect_all_functions_work(store);
    }
  }
}

/// As Dragonfly, where the line that declares flags is an error of syntax.
TEST_P(ScriptsByThemselves, ArePlainIfTheServerTakesNoFlags) {
  for (const auto& missing : {without({}), without({"FUNCTION", "FCALL"})}) {
    const TestServer lacking(GetParam().server, missing);
    FaultProxy proxy(lacking);
    proxy.always(without_flags(), "SCRIPT");
    auto options = options_for(proxy.connection(), observer);
    if (missing.empty()) options.functions = FunctionLoading::scripts;
    auto store = store_that_chooses(options);
    expect_all_functions_work(store);
    const auto sent = proxy.faults();
    lacking.command({"SCRIPT", "FLUSH"});
    expect_all_functions_work(store, "another user");
    EXPECT_EQ(proxy.faults(), sent + session_functions().scripts.size()) << "they are loaded as plain ones at once";
    const auto findings = store.diagnose().value();
    for (const auto& finding : findings) EXPECT_NE(finding.severity, Severity::problem) << finding.message;
    // Many are deleted another way than few.
    auto kept = new_session("user of many", "kept");
    ASSERT_FALSE(code_of(store.upsert(kept)));
    for (int i = 0; i < 600; ++i) {
      auto session = new_session("user of many", std::to_string(i));
      ASSERT_FALSE(code_of(store.upsert(session)));
    }
    ASSERT_FALSE(code_of(store.delete_others(kept.key())));
    EXPECT_EQ(store.get_all("user of many", "full").value(), std::vector{kept});
  }
}

TEST_P(ScriptsByThemselves, ThatDoNotCompileInEitherFormAreAnErrorOfTheServer) {
  FaultProxy proxy(server);
  proxy.always(Fault::refuse("ERR [string \"x\"]:2: unexpected symbol near 'local'"), "SCRIPT");
  auto options = options_for(proxy.connection());
  options.functions = FunctionLoading::scripts;
  const auto store = RedisStore::connect(options);
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, ErrorCode::server);
  EXPECT_NE(store.error().message.find("the scripts could not be loaded"), std::string::npos) << store.error().message;
}

TEST_P(ScriptsByThemselves, AreNotUsedByAStoreThatMayLoadNothing) {
  for (const auto& missing : {without({"FUNCTION", "FCALL"}), without({"FCALL"})}) {
    const TestServer lacking(GetParam().server, missing);
    const auto error = refused(lacking, FunctionLoading::require_loaded);
    EXPECT_EQ(error.code, ErrorCode::unsupported_server) << error.message;
    EXPECT_NE(error.message.find("to FCALL"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("FunctionLoading::scripts"), std::string::npos) << error.message;
  }
}

TEST_P(ScriptsByThemselves, AreNotUsedByAUserWithoutTheRightToFunctions) {
  server.command({"ACL", "SETUSER", "web", "on", ">right", "~obol_*", "+@all", "-function"});
  auto options = options_for(server);
  options.connection.username = "web";
  options.connection.password = "right";
  const auto store = RedisStore::connect(options);
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, ErrorCode::permission) << store.error().message;
}

TEST_P(ScriptsByThemselves, ThatTheServerDoesNotKnowEitherAreNamed) {
  for (const auto functions : {FunctionLoading::scripts, FunctionLoading::load_at_connect}) {
    const TestServer without_script(GetParam().server, without({"FUNCTION", "SCRIPT"}));
    auto error = refused(without_script, functions);
    EXPECT_EQ(error.code, ErrorCode::unsupported_server) << error.message;
    EXPECT_NE(error.message.find("to SCRIPT LOAD"), std::string::npos) << error.message;
  }
  const TestServer without_call(GetParam().server, without({"EVALSHA"}));
  const auto error = refused(without_call, FunctionLoading::scripts);
  EXPECT_EQ(error.code, ErrorCode::unsupported_server) << error.message;
  EXPECT_NE(error.message.find("to EVALSHA"), std::string::npos) << error.message;
}

OBOL_ON_STORES(ScriptsByThemselves, all_stores());

}}  // namespace obol::testing
