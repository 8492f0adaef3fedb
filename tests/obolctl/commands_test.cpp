// The program on real servers: what an operator sees and what becomes of the sessions.
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>

#include "obol/session_id.hpp"
#include "obolctl/program.hpp"
#include "support/await.hpp"
#include "support/fault_proxy.hpp"
#include "support/monitor.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

using Json = nlohmann::json;

class Obolctl : public ServerTest {
 protected:
  Outcome run(std::vector<std::string> arguments, const std::string& input = {}) const {
    return Program(std::move(arguments), environment, input).wait();
  }
  Session stored(std::string user, std::string id, std::string type = "full") {
    auto session = new_session(std::move(user), std::move(id));
    session.type = std::move(type);
    EXPECT_TRUE(store.upsert(session));
    return session;
  }

  Program::Environment environment = environment_for(server);
  RedisStore store = store_on(server);
};

TEST_P(Obolctl, ListNamesEverySessionOfAUserAndTellsItsTimes) {
  stored("426", "first");
  stored("426", "second", "reduced");
  stored("4262", "of another user");
  const auto outcome = run({"list", "426"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("first"), std::string::npos);
  EXPECT_NE(outcome.out.find("second"), std::string::npos);
  EXPECT_NE(outcome.out.find(session_id_hash("first")), std::string::npos);
  EXPECT_EQ(outcome.out.find("another"), std::string::npos);
  EXPECT_EQ(std::ranges::count(run({"list", "426", "--type", "full"}).out, '\n'), 2);
}

TEST_P(Obolctl, ListAsJsonHasOneObjectASession) {
  const auto session = stored("426", "id\xff");
  const auto outcome = run({"--json", "list", "426"});
  const auto object = Json::parse(outcome.out);
  EXPECT_EQ(object["user_id"], "426");
  EXPECT_EQ(object["id_escaped"], R"(id\xff)");
  EXPECT_EQ(object["status"], "verified");
  EXPECT_EQ(object["lock_version"], 1);
  EXPECT_EQ(object["encrypted"], false);
  EXPECT_FALSE(object.contains("payload"));
}

TEST_P(Obolctl, WithoutAKeyOnlyWhatNeedsNoneIsTold) {
  stored("426", "id");
  environment.erase("OBOL_SECRET");
  const auto object = Json::parse(run({"list", "426", "--json"}).out);
  EXPECT_EQ(object["status"], "unchecked");
  EXPECT_TRUE(object["expires_at"].is_string());
  EXPECT_FALSE(object.contains("created_at"));
  EXPECT_EQ(run({"show", "426", "full", "id", "--payload"}).status, 2);
}

TEST_P(Obolctl, ShowKeepsThePayloadBackUntilItIsAskedFor) {
  stored("426", "id");
  const auto without = run({"show", "426", "full", "id"});
  EXPECT_EQ(without.status, 0) << without.err;
  EXPECT_EQ(without.out.find("refresh token"), std::string::npos);
  EXPECT_NE(run({"show", "426", "full", "id", "--payload"}).out.find("refresh token"), std::string::npos);
  EXPECT_EQ(Json::parse(run({"show", "426", "full", "id", "--payload", "--json"}).out)["payload"], "payload");
  EXPECT_EQ(run({"show", "426", "full", "other"}).status, 1);
  stored("426", "\xff");
  EXPECT_NE(run({"--escaped", "show", "426", "full", R"(\xff)"}).out.find("id                      \\xff\n"),
            std::string::npos);
}

TEST_P(Obolctl, ASessionThatDoesNotVerifyHasAStatusOfItsOwn) {
  stored("426", "id");
  environment["OBOL_SECRET"] = secret('x');
  const auto outcome = run({"show", "426", "full", "id"});
  EXPECT_EQ(outcome.status, 5);
  EXPECT_NE(outcome.out.find("unknown_key"), std::string::npos);
  EXPECT_EQ(run({"list", "426"}).status, 5);
}

TEST_P(Obolctl, RevokeLogsOutExactlyTheOneThatIsNamed) {
  const auto one = stored("426", "-begins with a dash");
  const auto other = stored("426", "other");
  EXPECT_EQ(run({"revoke", "426", "full", "--", one.id}).status, 0);
  EXPECT_FALSE(store.get(one.key()).value());
  EXPECT_TRUE(store.get(other.key()).value());
  EXPECT_EQ(run({"revoke", "426", "full", "--", one.id}).status, 1);
  EXPECT_EQ(run({"revoke", "426", "full", "-"}, "other\n").status, 0);
  EXPECT_FALSE(store.get(other.key()).value());
}

TEST_P(Obolctl, AnIdOfAnyBytesIsNamedAsItIsPrinted) {
  const auto session = stored("us\ner", "\xff\\");
  EXPECT_EQ(run({"--escaped", "revoke", R"(us\x0aer)", "full", R"(\xff\\)"}).status, 0);
  EXPECT_FALSE(store.get(session.key()).value());
}

TEST_P(Obolctl, RevokeAllAsksOrWantsYes) {
  stored("426", "a");
  stored("426", "b", "reduced");
  EXPECT_EQ(run({"revoke-all", "426", "--all-types"}).status, 2);
  EXPECT_EQ(store.get_all("426", "full")->size(), 1U);
  EXPECT_EQ(run({"revoke-all", "426", "--type", "full", "--yes"}).out, "revoked 1 session\n");
  EXPECT_EQ(store.get_all("426", "reduced")->size(), 1U);
  EXPECT_EQ(Json::parse(run({"revoke-all", "426", "--all-types", "--yes", "--json"}).out)["by_type"]["reduced"], 1);
  EXPECT_EQ(run({"revoke-all", "426", "--all-types", "--yes"}).status, 1);
}

TEST_P(Obolctl, RevokeAllEndsEveryTypeThatIsNamedInOneSend) {
  stored("426", "a");
  for (const auto* id : {"b", "c"}) stored("426", id, "reduced");
  const auto kept = stored("426", "d", "kept");
  Monitor monitor(server);
  const auto outcome = run({"revoke-all", "426", "--type", "full", "--type", "reduced", "--type", "full", "--type",
                            "none", "--yes", "--json", "--mark-lifetime", "60"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto commands = monitor.commands();
  const auto is_revoking = [](const std::string& command) { return command.contains("obol_revoke_all_"); };
  const auto first = std::ranges::find_if(commands, is_revoking);
  ASSERT_GE(commands.end() - first, 4);
  EXPECT_TRUE(std::all_of(first, first + 3, is_revoking));
  EXPECT_TRUE(first[3].starts_with("\"ECHO\"")) << first[3];
  const auto json = Json::parse(outcome.out);
  EXPECT_EQ(json["revoked"], 3);
  EXPECT_EQ(json["by_type"], (Json{{"full", 1}, {"none", 0}, {"reduced", 2}}));
  EXPECT_TRUE(store.get(kept.key()).value());
  for (const auto* type : {"full", "reduced", "none"}) {
    EXPECT_TRUE(store.get_all("426", type)->empty());
    EXPECT_EQ(server.command({"EXISTS", "obol_{426}:" + std::string(type) + "/revoked"}).integer, 1) << type;
  }
}

TEST_P(Obolctl, ListShowsTheTypesThatAreNamed) {
  stored("426", "a");
  stored("426", "b", "reduced");
  stored("426", "c", "other");
  const auto outcome = run({"list", "426", "--type", "reduced", "--type", "full", "--type", "full"});
  EXPECT_EQ(std::ranges::count(outcome.out, '\n'), 3) << outcome.out;
  EXPECT_FALSE(outcome.out.contains("other")) << outcome.out;
  EXPECT_EQ(run({"list", "426", "--type", "full", "--type", "a b"}).status, 2);
}

TEST_P(Obolctl, RevokeAllLeavesAMarkAgainstLoginsUnderWay) {
  EXPECT_EQ(run({"revoke-all", "426", "--type", "full", "--yes", "--mark-lifetime", "60"}).status, 1);
  auto options = options_for(server);
  options.policy.revocation_mark_lifetime = std::chrono::seconds(60);
  auto session = new_session("426");
  session.created_at -= std::chrono::seconds(5);
  EXPECT_EQ(RedisStore::connect(options)->upsert(session).error().code, ErrorCode::revoked);
}

TEST_P(Obolctl, StatsCountLiveSessionsByTypeAndKey) {
  stored("a", "1");
  stored("a", "2");
  stored("a", "1", "reduced");
  stored("b", "1");
  const auto ended = stored("c", "ended");
  server.command({"HPEXPIRE", "obol_{c}:full", "1", "FIELDS", "1", "ended"});
  // The server deletes the key a moment after its last session has ended.
  await("the session to end",
        [&] { return !store.get(ended.key()).value() && server.command({"EXISTS", "obol_{c}:full"}).integer == 0; });
  server.command({"SET", "obol_{a}:full/revoked", "1"});
  server.command({"SET", "obol_{z}:full", "a string"});
  server.command({"HSET", "obol_else", "a", "b"});
  const auto outcome = run({"stats", "--json", "--memory"});
  const auto object = Json::parse(outcome.out);
  EXPECT_EQ(object["sessions"], 4);
  EXPECT_EQ(object["users"], 2);
  EXPECT_EQ(object["by_type"][0],
            Json({{"type", "full"}, {"sessions", 3}, {"stored_bytes", object["by_type"][0]["stored_bytes"]}}));
  EXPECT_EQ(object["by_key"][0]["sessions"], 4);
  EXPECT_GT(object["estimated_memory_bytes"], object["stored_bytes"]);
  EXPECT_NE(run({"stats"}).out.find("4 sessions, 2 users"), std::string::npos);
}

TEST_P(Obolctl, AnotherPrefixIsAnotherPlaceAlsoWhereItIsAPattern) {
  stored("a", "1");
  auto options = options_for(server);
  options.key_prefix = "o*[l]_";
  auto session = new_session("a", "2");
  ASSERT_TRUE(RedisStore::connect(options)->upsert(session));
  EXPECT_EQ(Json::parse(run({"stats", "--json", "--prefix", "o*[l]_"}).out)["sessions"], 1);
  EXPECT_NE(run({"list", "a", "--prefix", "o*[l]_"}).out.find('2'), std::string::npos);
}

TEST_P(Obolctl, FunctionsAreLoadedListedAndPruned) {
  server.command({"FUNCTION", "FLUSH"});
  EXPECT_EQ(run({"functions", "list"}).status, 1);
  EXPECT_EQ(run({"functions", "load"}).status, 0);
  EXPECT_EQ(run({"functions", "load"}).status, 0);
  const auto code = [](const std::string& name) {
    return "#!lua name=" + name + "\nredis.register_function('f_" + name + "', function() return 1 end)";
  };
  server.command({"FUNCTION", "LOAD", code("obol_0123456789abcdef")});
  server.command({"FUNCTION", "LOAD", code("obol_of_somebody_else")});
  EXPECT_EQ(run({"functions", "prune"}).status, 2);
  EXPECT_NE(run({"functions", "prune", "--dry-run"}).out.find("obol_0123456789abcdef"), std::string::npos);
  EXPECT_EQ(run({"functions", "prune", "--yes"}).status, 0);
  const auto left = server.command({"FUNCTION", "LIST"});
  EXPECT_EQ(left.elements.size(), 2U);
  EXPECT_EQ(run({"functions", "list"}).status, 0);
}

TEST_P(Obolctl, DiagnoseEndsWithOneWhereItFindsAProblem) {
  EXPECT_EQ(run({"diagnose"}).status, 0);
  server.command({"ACL", "SETUSER", "default", "-hgetall"});
  const auto outcome = run({"diagnose", "--json"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.out.find("\"severity\":\"problem\""), std::string::npos);
}

TEST_P(Obolctl, DiagnoseWarnsOfFunctionsThatAStoreWouldLoad) {
  server.command({"FUNCTION", "FLUSH"});
  const auto outcome = run({"diagnose", "--json"});
  EXPECT_EQ(outcome.status, 0) << outcome.out;
  EXPECT_NE(outcome.out.find("\"severity\":\"warning\",\"topic\":\"functions\""), std::string::npos) << outcome.out;
  EXPECT_EQ(server.command({"FUNCTION", "LIST"}).elements.size(), 0U) << "it changes nothing";
}

TEST_P(Obolctl, DiagnoseLooksAtScriptsWhereTheServerKnowsNoFunctions) {
  FaultProxy proxy(server);
  proxy.always(Fault::refuse("ERR unknown command 'FCALL'"), "FCALL");
  environment["OBOL_REDIS_URI"] = proxy.connection().to_uri();
  const auto outcome = run({"diagnose", "--json"});
  EXPECT_EQ(outcome.status, 0) << outcome.out;
  EXPECT_NE(outcome.out.find("\"severity\":\"note\",\"topic\":\"functions\""), std::string::npos) << outcome.out;
  server.command({"ACL", "SETUSER", "default", "-evalsha"});
  const auto refused = run({"diagnose"});
  EXPECT_EQ(refused.status, 1) << "scripts do not work either";
  EXPECT_NE(refused.out.find("EVALSHA of the update function fails"), std::string::npos) << refused.out;
}

TEST_P(Obolctl, DiagnoseLeavesAKeyAloneThatIsCalledLikeThePrefix) {
  server.command({"HSET", "obol_", "probe", "of another program"});
  EXPECT_EQ(run({"diagnose"}).status, 0);
  EXPECT_EQ(server.command({"HGET", "obol_", "probe"}).text, "of another program");
}

TEST_P(Obolctl, ExitStatusesTellWhyItFailed) {
  EXPECT_EQ(run({}).status, 2);
  EXPECT_NE(run({"lst", "426"}).err.find("lst is not a command"), std::string::npos);
  EXPECT_EQ(run({"list"}).status, 2);
  EXPECT_EQ(run({"list", ""}).status, 2);
  EXPECT_EQ(run({"list", "426", "--type", "a:b"}).status, 2);
  EXPECT_EQ(run({"list", "426", "--nonsense"}).status, 2);
  EXPECT_EQ(run({"--help"}).status, 0);
  EXPECT_EQ(run({"--uri", "unix:///nowhere", "list", "426"}).status, 3);
  server.command({"ACL", "SETUSER", "limited", "on", ">right", "~*", "+ping"});
  environment["OBOL_REDIS_PASSWORD"] = "right";
  const auto uri = "unix://limited@" + server.socket_path();
  EXPECT_EQ(run({"--uri", uri, "list", "426"}).status, 4);
  environment["OBOL_REDIS_PASSWORD"] = "hunter2";
  const auto wrong = run({"--uri", uri, "list", "426"});
  EXPECT_EQ(wrong.status, 4);
  EXPECT_EQ(wrong.err.find("hunter2"), std::string::npos);
  server.signal(SIGSTOP);
  EXPECT_EQ(run({"--timeout", "1", "list", "426"}).status, 3);
  server.signal(SIGCONT);
}

TEST_P(Obolctl, OutputThatCannotBeWrittenIsAFailure) {
  const auto shell = [&](const std::string& command) {
    const auto line = "OBOL_REDIS_URI=unix://" + server.socket_path() + " " OBOL_TEST_OBOLCTL " " + command;
    return WEXITSTATUS(std::system(("bash -c 'set -o pipefail; " + line + "' 2>/dev/null").c_str()));
  };
  EXPECT_EQ(shell("acl >/dev/full"), 6);
  EXPECT_EQ(shell("acl --json | head -c 1 >/dev/null; test ${PIPESTATUS[0]} = 141 -o ${PIPESTATUS[0]} = 0"), 0);
}

/// Runs it on a terminal of its own; gives all that appeared there, and the exit status.
std::pair<std::string, int> on_terminal(const std::string& uri, std::vector<std::string> words,
                                        const std::string& typed) {
  int terminal = -1;
  const pid_t process = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (process == 0) {
    ::setenv("OBOL_REDIS_URI", uri.c_str(), 1);
    words.insert(words.begin(), OBOL_TEST_OBOLCTL);
    std::vector<char*> pointers;
    for (auto& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    ::execv(pointers[0], pointers.data());
    ::_exit(127);
  }
  EXPECT_EQ(::write(terminal, typed.data(), typed.size()), static_cast<ssize_t>(typed.size()));
  std::string seen;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::read(terminal, buffer.data(), buffer.size())) > 0;) {
    seen.append(buffer.data(), static_cast<std::size_t>(got));
  }
  int status = 0;
  ::waitpid(process, &status, 0);
  ::close(terminal);
  return {seen, WEXITSTATUS(status)};
}

TEST_P(Obolctl, ATerminalIsAskedAndShownProgress) {
  const auto session = stored("426", "id");
  const auto uri = "unix://" + server.socket_path();
  const auto [refused, status] = on_terminal(uri, {"revoke-all", "426", "--type", "full"}, "\n");
  EXPECT_NE(refused.find("Log out 426 everywhere, 1 session (full: 1)? [y/N]"), std::string::npos) << refused;
  EXPECT_EQ(status, 1);
  EXPECT_TRUE(store.get(session.key()).value());
  EXPECT_NE(on_terminal(uri, {"stats"}, "").first.find("] 100 %"), std::string::npos);
  EXPECT_EQ(on_terminal(uri, {"revoke-all", "426", "--type", "full"}, "y\n").second, 0);
  EXPECT_FALSE(store.get(session.key()).value());
}

OBOL_ON_BOTH_SERVERS(Obolctl);

}}  // namespace obol::testing
