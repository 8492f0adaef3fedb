// The program on a cluster: every primary is looked at, and each session is found where its slot is.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "obolctl/acl_rules.hpp"
#include "obolctl/program.hpp"
#include "redis/protocol/key_slot.hpp"
#include "store/session_commands.hpp"
#include "support/server_test.hpp"
#include "support/test_cluster.hpp"

namespace obol::testing { namespace {

using Json = nlohmann::json;

constexpr int users = 30;

class ObolctlOnACluster : public ::testing::TestWithParam<ServerKind> {
 protected:
  void SetUp() override {
    for (int user = 0; user < users; ++user) {
      auto session = new_session(std::to_string(user), "id");
      ASSERT_TRUE(store.upsert(session));
    }
  }

  Outcome run(std::vector<std::string> arguments, const std::string& uri) const {
    return Program(std::move(arguments), {{"OBOL_REDIS_URI", uri}, {"OBOL_SECRET", secret()}}).wait();
  }
  Outcome run(std::vector<std::string> arguments) const { return run(std::move(arguments), cluster.uri()); }

  long count() const { return Json::parse(run({"stats", "--json"}).out)["sessions"]; }

  TestCluster cluster{GetParam(), {.replicas_each = 0}};
  RedisStore store = RedisStore::connect(options_for(cluster.connection())).value();
};

TEST_P(ObolctlOnACluster, CountsTheSessionsOfAllPrimaries) {
  const auto outcome = run({"stats", "--memory", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(Json::parse(outcome.out)["sessions"], users);
  EXPECT_EQ(Json::parse(outcome.out)["users"], users);
}

TEST_P(ObolctlOnACluster, FindsAndRevokesEachUsersSessions) {
  for (int user = 0; user < users; ++user) {
    const auto id = std::to_string(user);
    EXPECT_EQ(run({"show", id, "full", "id"}).status, 0) << id;
  }
  EXPECT_EQ(run({"revoke", "0", "full", "id"}).status, 0);
  EXPECT_EQ(run({"revoke-all", "1", "--all-types", "--yes"}).status, 0);
  EXPECT_EQ(run({"list", "1"}).status, 1);
  EXPECT_EQ(count(), users - 2);
}

// Its keys have no hash tag, so that its types are at several primaries.
TEST_P(ObolctlOnACluster, EndsEveryTypeOfAUserWhoseIdEndsTheHashTag) {
  std::vector<std::string> words{"revoke-all", "}user", "--yes", "--json"};
  for (const auto* type : {"a", "b", "c", "d", "e", "f"}) {
    auto session = new_session("}user", "id");
    session.type = type;
    ASSERT_TRUE(store.upsert(session).has_value());
    words.insert(words.end(), {"--type", type});
  }
  const auto outcome = run(words);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(Json::parse(outcome.out)["revoked"], 6);
  EXPECT_EQ(count(), users);
}

TEST_P(ObolctlOnACluster, ReachesNodesWhoseAnnouncedAddressesAreMapped) {
  for (std::size_t node = 0; node < cluster.size(); ++node) {
    ASSERT_FALSE(cluster.command(node, {"CONFIG", "SET", "cluster-announce-hostname", "obol-node.invalid"}).is_error());
    ASSERT_FALSE(cluster.command(node, {"CONFIG", "SET", "cluster-preferred-endpoint-type", "hostname"}).is_error());
  }
  await("every node to know the names of all", [&] {
    for (std::size_t node = 0; node < cluster.size(); ++node) {
      const auto nodes = std::string(cluster.command(node, {"CLUSTER", "NODES"}).text);
      std::size_t named = 0;
      for (auto at = nodes.find(",obol-node.invalid"); at != std::string::npos; at = nodes.find(",obol", at + 1))
        ++named;
      if (named != cluster.size()) return false;
    }
    return true;
  });
  const auto outcome = run({"stats", "--json"});
  EXPECT_EQ(outcome.status, 3);
  EXPECT_NE(outcome.err.find("the cluster announced obol-node.invalid:"), std::string::npos) << outcome.err;
  const auto mapped = run({"stats", "--json", "--map-address", "obol-node.invalid=127.0.0.1"});
  ASSERT_EQ(mapped.status, 0) << mapped.err;
  EXPECT_EQ(Json::parse(mapped.out)["sessions"], users);
}

TEST_P(ObolctlOnACluster, TellsOfEveryPrimary) {
  for (const auto& words : {std::vector<std::string>{"diagnose"}, {"functions", "load"}, {"functions", "list"}}) {
    const auto outcome = run(words);
    for (const auto node : cluster.primaries()) {
      EXPECT_NE(outcome.out.find(cluster.address(node)), std::string::npos) << words[0] << outcome.out << outcome.err;
    }
  }
}

TEST_P(ObolctlOnACluster, DiagnoseFindsNoProblemWhereThereIsNone) {
  ASSERT_EQ(run({"functions", "load"}).status, 0);
  const auto outcome = run({"diagnose"});
  EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
}

TEST_P(ObolctlOnACluster, MovesSessionsOutOfItAndIntoAnother) {
  const Folder folder;
  const auto file = folder.path("export");
  const auto exported = run({"export", file});
  ASSERT_EQ(exported.status, 0) << exported.err;
  for (int user = 0; user < users; ++user) ASSERT_TRUE(store.delete_all(std::to_string(user), "full"));

  const TestCluster another(GetParam(), {.primaries = 2, .replicas_each = 0});
  for (const auto& uri : {cluster.uri(), another.uri()}) {
    const auto imported = run({"import", file, "--json"}, uri);
    ASSERT_EQ(imported.status, 0) << imported.err;
    EXPECT_EQ(Json::parse(imported.out)["imported"], users);
  }
  for (int user = 0; user < users; ++user) {
    EXPECT_TRUE(store.get({.user_id = std::to_string(user), .id = "id"}).value());
  }
}

TEST_P(ObolctlOnACluster, RekeysTheSessionsOfAllPrimaries) {
  Program rekey({"rekey", "--json"},
                {{"OBOL_REDIS_URI", cluster.uri()}, {"OBOL_SECRET", secret('n')}, {"OBOL_OLD_SECRETS", secret()}});
  const auto outcome = rekey.wait();
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(Json::parse(outcome.out)["rekeyed"], users);
}

TEST_P(ObolctlOnACluster, SaysThatASlotIsOnItsWay) {
  const auto slot = redis::key_slot(stored_key("obol_", "7", "full"));
  const auto from = cluster.primary_of(slot);
  const auto primaries = cluster.primaries();
  const auto to = *std::ranges::find_if(primaries, [&](auto node) { return node != from; });
  cluster.begin_move(slot, to);
  cluster.move_keys(slot, to);
  const auto outcome = run({"show", "7", "full", "id"});
  EXPECT_NE(outcome.status, 0);
  EXPECT_NE(outcome.err.find("slots of the cluster moved in the meantime"), std::string::npos) << outcome.err;
  cluster.finish_move(slot, to);
  EXPECT_EQ(run({"show", "7", "full", "id"}).status, 0);
}

TEST_P(ObolctlOnACluster, SaysWhenNobodyServesASlot) {
  const auto primaries = cluster.primaries();
  for (const auto node : primaries) cluster.command(node, {"CLUSTER", "DELSLOTS", "0"});
  const auto outcome = run({"stats"});
  EXPECT_NE(outcome.status, 0);
  EXPECT_NE(outcome.err.find("no primary of the cluster serves slot 0"), std::string::npos) << outcome.err;
}

// The rules of one server are held in acl_test.cpp.
TEST_P(ObolctlOnACluster, TellsTheRightsThatAClusterNeedsAndNoMore) {
  const auto make_user = [&](ctl::Role role, const std::vector<std::string>& rules) {
    const std::string name(ctl::name_of(role));
    for (const auto node : cluster.primaries()) {
      cluster.command(node, {"ACL", "SETUSER", name, "reset", "on", ">right"});
      for (const auto& rule : rules) cluster.command(node, {"ACL", "SETUSER", name, rule});
    }
  };
  const auto slot = redis::key_slot(stored_key("obol_", "7", "full"));
  const auto primaries = cluster.primaries();
  const auto from = cluster.primary_of(slot);
  ASSERT_EQ(run({"functions", "load"}).status, 0);
  cluster.begin_move(slot, *std::ranges::find_if(primaries, [&](auto node) { return node != from; }));
  ASSERT_TRUE(store.delete_all("7", "full"));
  const auto can_log_in = [&] {
    auto own = options_for(cluster.connection());
    own.timeouts.total = std::chrono::seconds(5);  // Without +asking a call is made again and again.
    own.connection.username = "web";
    own.connection.password = "right";
    own.functions = FunctionLoading::require_loaded;
    auto as_web = RedisStore::connect(own);
    auto session = new_session("7", "of web");
    return as_web && as_web->upsert(session) && as_web->delete_one(session.key());
  };
  const auto with_user = [&](std::string_view name) {
    auto uri = cluster.uri();
    return uri.insert(uri.find("://") + 3, std::string(name) + "@");
  };
  const auto can_load = [&] {
    return Program({"functions", "load"}, {{"OBOL_REDIS_URI", with_user("deploy")}, {"OBOL_REDIS_PASSWORD", "right"}})
               .wait()
               .status == 0;
  };
  for (const auto& [role, can] :
       {std::pair<ctl::Role, std::function<bool()>>{ctl::Role::web, can_log_in}, {ctl::Role::deploy, can_load}}) {
    const auto rules = ctl::acl_rules(role, {.has_cluster = true});
    make_user(role, rules);
    EXPECT_TRUE(can());
    for (const auto& rule : rules) {
      if (rule != "+asking" && rule != "+cluster|slots") continue;
      auto fewer = rules;
      std::erase(fewer, rule);
      make_user(role, fewer);
      EXPECT_FALSE(can()) << rule << " is not needed";
    }
  }
}

OBOL_ON_BOTH_SERVERS(ObolctlOnACluster);

}}  // namespace obol::testing
