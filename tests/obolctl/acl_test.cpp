// The rules that `obolctl acl` prints: enough for each role on real servers, none too many, and the ones in the docs.
#include <algorithm>
#include <fstream>
#include <sstream>

#include "obol/session_watch.hpp"
#include "obolctl/acl_rules.hpp"
#include "obolctl/command_line.hpp"
#include "obolctl/program.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

using ctl::AclOptions;
using ctl::Role;

AclOptions every_option() {
  return {.prefix = "obol_",
          .database = 1,
          .has_max_sessions = true,
          .has_revocation_marks = true,
          .has_durability = true,
          .has_near_cache = true,
          .has_session_watch = true,
          .has_replica_reads = true,
          .has_cluster = true,
          .has_diagnosis = true,
          .loads_functions = true};
}

std::vector<std::string> without(std::vector<std::string> rules, const std::string& rule) {
  std::erase(rules, rule);
  return rules;
}

/// Rules whose loss must be noticed.
std::vector<std::string> permissions(const std::vector<std::string>& rules) {
  std::vector<std::string> found;
  std::ranges::copy_if(rules, std::back_inserter(found), [](const auto& rule) { return rule != "-@all"; });
  return found;
}

class AclRules : public ServerTest {
 protected:
  /// The users are made by exactly these rules.
  void make_user(Role role, const std::vector<std::string>& rules) {
    const auto name = std::string(ctl::name_of(role));
    server.command({"ACL", "SETUSER", name, "reset", "on", ">right"});
    for (const auto& rule : rules) {
      EXPECT_FALSE(server.command({"ACL", "SETUSER", name, rule}).is_error()) << rule;
    }
  }

  RedisStoreOptions web_options() {
    auto options = options_for(server);
    options.connection.username = "web";
    options.connection.password = "right";
    return options;
  }

  void crowd_in(int database) const;

  /// True where the user may do it, whatever would come of it.
  template <class... Words>
  bool may(std::string_view user, const Words&... words) {
    return server.command({"ACL", "DRYRUN", user, words...}).text == "OK";
  }
};

/// So many sessions of the user that a cap is reached in several calls.
void AclRules::crowd_in(int database) const {
  std::vector<redis::Command> commands{{"SELECT", std::to_string(database)}};
  for (int i = 0; i < 600; ++i) {
    commands.push_back(
        {"HSETEX", "obol_{user}:full", "PX", "60000", "FIELDS", "1", "crowd" + std::to_string(i), "sealed"});
  }
  server.commands(commands);
}

std::string diagnosis_complaints(RedisStore& store) {
  const auto findings = store.diagnose();
  if (!findings) return findings.error().message;
  std::string complaints;
  for (const auto& finding : *findings) {
    const bool is_complaint =
        finding.severity == Severity::problem || finding.message.find("cannot be checked") != std::string::npos;
    if (is_complaint) complaints += finding.message + '\n';
  }
  return complaints;
}

/// Everything a store does; what was refused, line by line.
std::string complaints_of(const RedisStoreOptions& options, bool has_all) {
  auto connected = RedisStore::connect(options);
  if (!connected) return connected.error().message;
  auto& store = *connected;
  std::string complaints;
  const auto note = [&](const auto& result) {
    if (!result) complaints += result.error().message + '\n';
  };
  for (const auto* id : {"a", "b", "c"}) {
    auto session = new_session("user", id);
    note(store.upsert(session));
  }
  auto session = new_session("other", "a");
  note(store.upsert(session));
  note(store.upsert(session));
  note(store.rotate_id(session));
  note(store.get(session.key()));
  note(store.get_many(std::vector{session.key()}));
  note(store.get_all("other", "full"));
  note(store.delete_others(session.key()));
  note(store.delete_one(session.key()));
  note(store.delete_all("user", "full"));
  if (has_all) {
    complaints += diagnosis_complaints(store);
    note(SessionWatch::connect(options));
  }
  return complaints;
}

TEST_P(AclRules, TheWebRoleCanDoWhatAStoreDoesAndNoMore) {
  const AclOptions plain;
  auto rules = ctl::acl_rules(Role::web, plain);
  make_user(Role::web, rules);
  store_on(server);
  auto options = web_options();
  options.functions = FunctionLoading::require_loaded;
  EXPECT_EQ(complaints_of(options, false), "");
  for (const auto& rule : permissions(rules)) {
    make_user(Role::web, without(rules, rule));
    EXPECT_NE(complaints_of(options, false), "") << rule << " is not needed";
  }
}

TEST_P(AclRules, TheWebRoleWithScriptsCanDoWhatAStoreDoesAndNoMore) {
  const auto rules = ctl::acl_rules(Role::web, {.uses_scripts = true});
  auto options = web_options();
  options.functions = FunctionLoading::scripts;
  const auto complaints = [&] {
    server.command({"SCRIPT", "FLUSH"});
    server.command({"FLUSHALL"});
    return complaints_of(options, false);
  };
  make_user(Role::web, rules);
  EXPECT_EQ(complaints(), "");
  EXPECT_FALSE(may("web", "EVAL", "return 1", "0"));
  EXPECT_FALSE(may("web", "SCRIPT", "FLUSH"));
  EXPECT_FALSE(may("web", "FUNCTION", "LOAD", "code"));
  for (const auto& rule : permissions(rules)) {
    make_user(Role::web, without(rules, rule));
    EXPECT_NE(complaints(), "") << rule << " is not needed";
  }
}

TEST_P(AclRules, EachOptionsRulesAreEnoughAndNeeded) {
  auto alone = every_option();
  alone.has_cluster = false;
  const auto rules = ctl::acl_rules(Role::web, alone);
  auto options = web_options();
  options.connection.database = 1;
  options.policy = {.max_sessions = 2, .revocation_mark_lifetime = std::chrono::seconds(60)};
  options.delete_durability = {.replicas = 1, .timeout = std::chrono::milliseconds(1)};
  options.near_cache.enabled = true;
  const auto complaints = [&] {
    server.command({"FUNCTION", "FLUSH"});
    server.command({"FLUSHALL"});
    crowd_in(1);
    return complaints_of(options, true);
  };
  make_user(Role::web, rules);
  // Without the replica that it waits for, diagnose has a warning, and that is none of ours.
  EXPECT_EQ(complaints(), "");
  for (const auto& rule : permissions(rules)) {
    make_user(Role::web, without(rules, rule));
    EXPECT_NE(complaints(), "") << rule << " is not needed";
  }
}

TEST_P(AclRules, TheWebRoleHasNoPowerOverTheServerOrOtherKeys) {
  auto options = every_option();
  options.loads_functions = false;
  make_user(Role::web, ctl::acl_rules(Role::web, options));
  EXPECT_TRUE(may("web", "HGET", "obol_{1}:full", "id"));
  EXPECT_FALSE(may("web", "HGET", "other", "id"));
  EXPECT_FALSE(may("web", "FUNCTION", "LOAD", "code"));
  EXPECT_FALSE(may("web", "FUNCTION", "FLUSH"));
  EXPECT_FALSE(may("web", "FLUSHALL"));
  EXPECT_FALSE(may("web", "KEYS", "*"));
  EXPECT_FALSE(may("web", "CONFIG", "SET", "save"));
  EXPECT_FALSE(may("web", "EVAL", "return 1", "0"));
  EXPECT_FALSE(may("web", "ACL", "LIST"));
}

/// Runs obolctl in this process, as a user; its exit status and what it printed.
std::pair<ctl::ExitCode, std::string> run_as(const TestServer& server, const std::string& user,
                                             std::vector<std::string> words) {
  const std::map<std::string, std::string> values{{"OBOL_REDIS_URI", "unix://" + user + "@" + server.socket_path()},
                                                  {"OBOL_REDIS_PASSWORD", "right"},
                                                  {"OBOL_SECRET", secret('n')},
                                                  {"OBOL_OLD_SECRETS", secret()}};
  words.insert(words.begin(), "obolctl");
  std::vector<const char*> pointers;
  for (const auto& word : words) pointers.push_back(word.c_str());
  ::testing::internal::CaptureStdout();
  const auto status =
      ctl::run(static_cast<int>(pointers.size()), pointers.data(), [&](const char* name) -> std::optional<std::string> {
        const auto found = values.find(name);
        return found == values.end() ? std::nullopt : std::optional(found->second);
      });
  return {status, ::testing::internal::GetCapturedStdout()};
}

TEST_P(AclRules, TheDeployRoleLoadsTheFunctionsAndReadsNothing) {
  const auto rules = ctl::acl_rules(Role::deploy, {});
  const auto load = [&] { return run_as(server, "deploy", {"functions", "load"}).first; };
  make_user(Role::deploy, rules);
  EXPECT_EQ(load(), ctl::ExitCode::done);
  for (const auto& rule : permissions(rules)) {
    make_user(Role::deploy, without(rules, rule));
    EXPECT_EQ(load(), ctl::ExitCode::refused) << rule << " is not needed";
  }
  make_user(Role::deploy, rules);
  EXPECT_FALSE(may("deploy", "HGET", "obol_{1}:full", "id"));
  EXPECT_FALSE(may("deploy", "FUNCTION", "DELETE", "x"));
  EXPECT_FALSE(may("deploy", "FLUSHALL"));
}

class OperatorRules : public AclRules {
 protected:
  /// Runs every command of obolctl, with scripts all but those that manage functions; the first that was refused
  /// anything, or nothing.
  std::string complaint(bool uses_scripts = false) {
    server.command({"FUNCTION", "FLUSH"});
    server.command({"FLUSHALL"});
    prepare(uses_scripts);
    for (auto words : commands_) {
      if (uses_scripts && words[0] == "functions") continue;
      if (words[0] == "rekey") server.command({"SCRIPT", "FLUSH"});
      if (uses_scripts) words.emplace_back("--scripts");
      const auto [status, out] = run_as(server, "operator", words);
      const bool is_done =
          status == ctl::ExitCode::done || (status == ctl::ExitCode::negative && words[0] != "diagnose");
      if (!is_done || out.find("cannot be checked") != std::string::npos) return words[0];
    }
    return {};
  }

 private:
  /// As hosts leave a server that they use.
  void prepare(bool uses_scripts) {
    auto options = options_for(server);
    if (uses_scripts) options.functions = FunctionLoading::scripts;
    auto store = RedisStore::connect(options).value();
    auto session = new_session("426", "a");
    ASSERT_TRUE(store.upsert(session));
    server.command({"SET", "obol_{426}:full/revoked", "1", "EX", "1000"});
    server.command(
        {"FUNCTION", "LOAD", "#!lua name=obol_0123456789abcdef\nredis.register_function('f', function() end)"});
    folder_.emplace();
    commands_ = {{"diagnose"},
                 {"export", folder_->path("e")},
                 {"stats", "--memory"},
                 {"list", "426"},
                 {"rekey"},
                 {"import", folder_->path("e"), "--overwrite"},
                 {"revoke", "426", "full", "a", "--replicas", "1"},
                 {"revoke-all", "426", "--type", "full", "--yes", "--mark-lifetime", "60"},
                 {"revoke-all", "426", "--type", "full", "--yes"},
                 {"functions", "list"},
                 {"functions", "prune", "--yes"},
                 {"functions", "load"}};
  }
  std::optional<Folder> folder_;
  std::vector<std::vector<std::string>> commands_;
};

TEST_P(OperatorRules, AreEnoughForEveryCommandAndEachIsNeeded) {
  const auto rules = ctl::acl_rules(Role::operation, {});
  make_user(Role::operation, rules);
  EXPECT_EQ(complaint(), "");
  for (const auto& rule : permissions(rules)) {
    make_user(Role::operation, without(rules, rule));
    EXPECT_NE(complaint(), "") << rule << " is not needed";
  }
}

TEST_P(OperatorRules, WithScriptsAreEnoughForEveryCommandAndEachIsNeeded) {
  const auto rules = ctl::acl_rules(Role::operation, {.uses_scripts = true});
  make_user(Role::operation, rules);
  EXPECT_EQ(complaint(true), "");
  for (const auto& rule : permissions(rules)) {
    make_user(Role::operation, without(rules, rule));
    EXPECT_NE(complaint(true), "") << rule << " is not needed";
  }
}

TEST_P(OperatorRules, AreNotAskedForWhereThereIsNoLibraryToManage) {
  make_user(Role::operation, ctl::acl_rules(Role::operation, {}));
  for (const auto* what : {"load", "list"}) {
    EXPECT_EQ(run_as(server, "operator", {"--scripts", "functions", what}).first, ctl::ExitCode::usage);
  }
}

OBOL_ON_BOTH_SERVERS(AclRules);
OBOL_ON_BOTH_SERVERS(OperatorRules);

TEST(AclCommand, QuotesAPrefixThatRedisCliWouldTakeApart) {
  EXPECT_NE(ctl::acl_command(Role::web, {.prefix = "a b\"*"}).find(R"( "~a b\"\\**" )"), std::string::npos)
      << ctl::acl_command(Role::web, {.prefix = "a b\"*"});
}

TEST(AclCommand, IsWhatTheDocumentationSays) {
  const std::ifstream file(OBOL_TEST_DOCS_DIR "/operations.md");
  std::ostringstream text;
  text << file.rdbuf();
  const auto documentation = text.str();
  for (const Role role : {Role::web, Role::deploy}) {
    EXPECT_NE(documentation.find("    " + ctl::acl_command(role, {}) + "\n"), std::string::npos)
        << ctl::acl_command(role, {});
  }
  const auto with_scripts = ctl::acl_command(Role::web, {.uses_scripts = true});
  EXPECT_NE(documentation.find("    " + with_scripts + "\n"), std::string::npos) << with_scripts;
  EXPECT_EQ(ctl::roles_for({.uses_scripts = true}), (std::vector{Role::web, Role::operation}));
  using Option = std::pair<const char*, bool AclOptions::*>;
  for (const auto& [name, option] :
       {Option{"policy.max_sessions", &AclOptions::has_max_sessions},
        Option{"policy.revocation_mark_lifetime", &AclOptions::has_revocation_marks},
        Option{"delete_durability", &AclOptions::has_durability}, Option{"near_cache", &AclOptions::has_near_cache},
        Option{"`SessionWatch`", &AclOptions::has_session_watch},
        Option{"replica_reads", &AclOptions::has_replica_reads}, Option{"connection.cluster", &AclOptions::has_cluster},
        Option{"a full `diagnose()`", &AclOptions::has_diagnosis}}) {
    AclOptions options;
    options.*option = true;
    std::string added;
    const auto plain = ctl::acl_rules(Role::web, {});
    for (const auto& rule : ctl::acl_rules(Role::web, options)) {
      if (std::ranges::find(plain, rule) == plain.end()) added += (added.empty() ? "" : " ") + rule;
    }
    const auto row = documentation.find(name);
    ASSERT_NE(row, std::string::npos) << name;
    EXPECT_NE(documentation.substr(row, 120).find("`" + added + "`"), std::string::npos) << name << ": " << added;
  }
}

}}  // namespace obol::testing
