// A store on a cluster: every key at the node that holds it, whatever becomes of nodes and slots.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <future>
#include <optional>
#include <set>

#include "redis/protocol/key_slot.hpp"
#include "store/session_commands.hpp"
#include "support/await.hpp"
#include "support/reserved_port.hpp"
#include "support/sessions.hpp"
#include "support/test_cluster.hpp"
#include "support/tested_store.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;

class ClusterTest : public ::testing::TestWithParam<StoreOnServer> {
 protected:
  std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();

  RedisStoreOptions options_for(const TestCluster& cluster) const {
    return testing::options_for(cluster.connection(), observer);
  }

  TestedStore tested_store(const RedisStoreOptions& options) const { return {GetParam().store, options}; }
  TestedStore store_on(const TestCluster& cluster) const { return tested_store(options_for(cluster)); }

  static Session stored(SessionStore& store, std::string user) {
    auto session = new_session(std::move(user));
    const auto outcome = store.upsert(session);
    EXPECT_TRUE(outcome.has_value()) << outcome.error().message;
    return session;
  }

  /// Enough users that every primary has some.
  static std::vector<Session> stored_for_many(SessionStore& store, const std::string& name = "user") {
    std::vector<Session> sessions;
    for (int i = 0; i < 30; ++i) sessions.push_back(stored(store, name + std::to_string(i)));
    return sessions;
  }

  static void expect_found(SessionStore& store, const std::vector<Session>& sessions) {
    std::vector<SessionKey> keys;
    for (const auto& session : sessions) {
      keys.push_back(session.key());
      const auto found = store.get(session.key());
      ASSERT_TRUE(found.has_value()) << found.error().message;
      EXPECT_EQ(*found, session);
    }
    const auto all = store.get_many(keys);
    ASSERT_TRUE(all.has_value()) << all.error().message;
    for (std::size_t i = 0; i < sessions.size(); ++i) EXPECT_EQ((*all)[i], sessions[i]);
  }

  /// Every slot is served; what a fail-over may have lost is stored anew.
  static void expect_served(SessionStore& store, const std::string& name) {
    await("the store to serve every slot", [&] {
      for (int i = 0; i < 12; ++i) {
        auto session = new_session(name + std::to_string(i));
        const auto outcome = store.upsert(session);
        if (!outcome && outcome.error().code != ErrorCode::conflict) return false;
        const auto found = store.get(session.key());
        if (!found || !*found) return false;
      }
      return true;
    });
  }

  static TestCluster::Slot slot_of(const std::string& user) {
    return redis::key_slot(stored_key("obol_", user, "full"));
  }

  static Error refused(const RedisStoreOptions& options) {
    const auto store = RedisStore::connect(options);
    return store ? Error{} : store.error();
  }
};

TEST_P(ClusterTest, HoldsEachUsersSessionsAtThePrimaryOfTheirSlot) {
  const TestCluster cluster(GetParam().server, {.replicas_each = 0});
  auto store = store_on(cluster);
  const auto sessions = stored_for_many(store);
  expect_found(store, sessions);
  std::set<TestCluster::Node> used;
  for (const auto& session : sessions) {
    const auto key = stored_key("obol_", session.user_id, "full");
    EXPECT_EQ(cluster.slot_of(key), redis::key_slot(key));
    const auto node = cluster.primary_of(key);
    used.insert(node);
    EXPECT_EQ(cluster.command(node, {"EXISTS", key}).integer, 1);
  }
  EXPECT_EQ(used.size(), 3U);
  // The functions came to each primary when they were first needed there, once.
  for (auto session : sessions) ASSERT_TRUE(store.upsert(session).has_value());
  EXPECT_EQ(observer->count("functions_loaded"), 3U);

  const auto findings = store.diagnose().value();
  for (const auto node : used) {
    EXPECT_TRUE(std::ranges::any_of(findings, [&](const Finding& finding) {
      return finding.topic == "server" && finding.message.starts_with(cluster.address(node));
    }));
  }
  for (const auto& finding : findings) EXPECT_NE(finding.severity, Severity::problem) << finding.message;

  auto strict = options_for(cluster);
  strict.functions = FunctionLoading::require_loaded;
  EXPECT_TRUE(RedisStore::connect(strict).has_value());
  cluster.command(*used.rbegin(), {"FUNCTION", "FLUSH"});
  EXPECT_EQ(refused(strict).code, ErrorCode::unsupported_server);
}

// Their second keys would be in other slots if nothing were done about it.
TEST_P(ClusterTest, ServesUserIdsThatEndTheHashTag) {
  const TestCluster cluster(GetParam().server, {.primaries = 3, .replicas_each = 1});
  auto options = options_for(cluster);
  options.policy = {.max_sessions = 2, .revocation_mark_lifetime = std::chrono::seconds(60)};
  options.delete_durability = {.replicas = 1, .timeout = milliseconds(8000)};
  auto store = tested_store(options);
  for (const auto* user : {"}", "}x", "{}", "a}b", "{a}", "plain"}) {
    auto session = new_session(user);
    session.created_at -= std::chrono::seconds(10);
    ASSERT_TRUE(store.upsert(session).has_value()) << user;
    EXPECT_EQ(store.delete_one(session.key())->confirmed_replicas, 1U) << user;
    session.lock_version = 0;
    ASSERT_TRUE(store.upsert(session).has_value()) << user;
    EXPECT_EQ(store.delete_all(user, "full")->confirmed_replicas, 1U) << user;
    session.lock_version = 0;
    EXPECT_EQ(store.upsert(session).error().code, ErrorCode::revoked) << user;
    session.type = "pending";
    ASSERT_TRUE(store.upsert(session).has_value()) << user;
    EXPECT_EQ(store.delete_all(user, {"full", "pending", "oauth2"})->confirmed_replicas, 1U) << user;
    for (const auto* type : {"full", "pending", "oauth2"}) {
      session.lock_version = 0;
      session.type = type;
      EXPECT_EQ(store.upsert(session).error().code, ErrorCode::revoked) << user << ", " << type;
    }
  }
}

// One command with all keys would have to wait until the slot has moved.
TEST_P(ClusterTest, DeletesEveryTypeWhileTheSlotIsHalfWayThere) {
  TestCluster cluster(GetParam().server, {.replicas_each = 0});
  auto options = options_for(cluster);
  auto plain = tested_store(options);
  options.delete_durability = {.replicas = 1, .timeout = milliseconds(50)};
  auto waiting = tested_store(options);
  const std::vector<std::string> types{"full", "pending", "oauth2"};
  for (auto* const store : {&plain, &waiting}) {
    const std::string user = store == &plain ? "user" : "other user";
    const auto old = stored(plain, user);
    const auto slot = slot_of(user);
    const auto from = cluster.primary_of(slot);
    const auto to = cluster.other_primary(from);
    cluster.begin_move(slot, to);
    auto fresh = new_session(user);
    fresh.type = "pending";
    ASSERT_TRUE(plain.upsert(fresh).has_value());
    ASSERT_EQ(cluster.command(from, {"EXISTS", stored_key("obol_", user, "full")}).integer, 1);
    ASSERT_EQ(cluster.command(from, {"EXISTS", stored_key("obol_", user, "pending")}).error_word(), "ASK");
    const auto deleted = store->delete_all(user, types);
    ASSERT_TRUE(deleted.has_value()) << user << ": " << deleted.error().message;
    EXPECT_EQ(deleted->confirmed_replicas, 0U);
    cluster.finish_move(slot, to);
    for (const auto& type : types) EXPECT_TRUE(plain.get_all(user, type)->empty()) << user << ", " << type;
  }
}

TEST_P(ClusterTest, FollowsSlotsThatMoveAndThatAreBeingMoved) {
  TestCluster cluster(GetParam().server, {.replicas_each = 0});
  auto store = store_on(cluster);
  const auto kept = stored(store, "kept");
  const auto slot = slot_of("kept");
  const auto from = cluster.primary_of(slot);
  const auto to = cluster.other_primary(from);

  cluster.begin_move(slot, to);
  expect_found(store, {kept});
  // Nothing of this user's is at the old primary any more: ASK, also where the new one lacks the functions.
  ASSERT_TRUE(store.delete_all("kept", "full").has_value());
  cluster.command(to, {"FUNCTION", "FLUSH"});
  auto session = stored(store, "kept");
  EXPECT_EQ(cluster.command(from, {"EXISTS", stored_key("obol_", "kept", "full")}).error_word(), "ASK");
  ASSERT_TRUE(store.upsert(session).has_value());
  const auto sessions = [&] {
    auto others = stored_for_many(store);
    others.push_back(session);
    return others;
  }();
  expect_found(store, sessions);
  ASSERT_TRUE(store.delete_others(session.key()).has_value());

  cluster.move_keys(slot, to);
  expect_found(store, sessions);
  cluster.finish_move(slot, to);
  expect_found(store, sessions);

  cluster.move_slots({slot}, from);
  for (auto updated : sessions) ASSERT_TRUE(store.upsert(updated).has_value());
}

TEST_P(ClusterTest, WaitsForASlotThatIsHalfWayThere) {
  TestCluster cluster(GetParam().server, {.replicas_each = 0});
  auto options = options_for(cluster);
  options.policy.revocation_mark_lifetime = std::chrono::seconds(60);
  auto store = tested_store(options);
  stored(store, "user");
  const auto slot = slot_of("user");
  const auto to = cluster.other_primary(cluster.primary_of(slot));
  cluster.begin_move(slot, to);
  // The sessions are here, the mark is nowhere: TRYAGAIN.
  auto waiting = std::async(std::launch::async, [&] {
    auto session = new_session("user", "another");
    return store.upsert(session).has_value();
  });
  EXPECT_EQ(waiting.wait_for(milliseconds(200)), std::future_status::timeout);
  cluster.move_keys(slot, to);
  cluster.finish_move(slot, to);
  EXPECT_TRUE(waiting.get());
}

// A key that is gone from a slot on its way cannot be written any more.
TEST_P(ClusterTest, LosesNoSessionThatIsKeptOrNewWhileItsSlotMoves) {
  TestCluster cluster(GetParam().server, {.replicas_each = 0});
  auto options = options_for(cluster);
  options.policy.max_sessions = 1;
  auto capped = tested_store(options);
  auto store = store_on(cluster);
  const auto kept = stored(store, "user");
  for (int i = 0; i < 5; ++i) {
    auto other = new_session("user", std::to_string(i));
    ASSERT_TRUE(store.upsert(other).has_value());
  }
  const auto slot = slot_of("user");
  cluster.begin_move(slot, cluster.other_primary(cluster.primary_of(slot)));
  ASSERT_TRUE(store.delete_others(kept.key()).has_value());
  EXPECT_EQ(store.get_all("user", "full").value(), std::vector{kept});
  auto another = new_session("user", "another");
  const auto created = capped.upsert(another);
  ASSERT_TRUE(created.has_value()) << created.error().message;
  EXPECT_EQ(created->evicted, std::vector{kept.id});
  EXPECT_EQ(store.get_all("user", "full").value(), std::vector{another});
}

TEST_P(ClusterTest, WaitsForASlotOnItsWayBeforeManySessionsAreDeletedTogether) {
  TestCluster cluster(GetParam().server, {.replicas_each = 0});
  auto store = store_on(cluster);
  const auto kept = stored(store, "user");
  for (int i = 0; i < 600; ++i) {
    auto other = new_session("user", std::to_string(i));
    ASSERT_TRUE(store.upsert(other).has_value());
  }
  const auto slot = slot_of("user");
  const auto to = cluster.other_primary(cluster.primary_of(slot));
  cluster.begin_move(slot, to);
  auto waiting = std::async(std::launch::async, [&] { return store.delete_others(kept.key()).has_value(); });
  EXPECT_EQ(waiting.wait_for(milliseconds(200)), std::future_status::timeout);
  EXPECT_EQ(store.get_all("user", "full")->size(), 601U);
  cluster.move_keys(slot, to);
  cluster.finish_move(slot, to);
  EXPECT_TRUE(waiting.get());
  EXPECT_EQ(store.get_all("user", "full").value(), std::vector{kept});
}

TEST_P(ClusterTest, HoldsARevocationMarkWithItsUserWhoeverLeftItAndWhereverTheSlotGoes) {
  TestCluster cluster(GetParam().server, {.replicas_each = 0});
  auto options = options_for(cluster);
  options.policy = {
      .revocation_mark_lifetime = std::chrono::minutes(10), .mark_on_delete_others = true, .mark_on_rotate_id = true};
  auto store = tested_store(options);
  const std::vector<std::function<bool(Session&)>> leave_mark{
      [&](Session& session) { return store.delete_all(session.user_id, session.type).has_value(); },
      [&](Session& session) { return store.delete_others(session.key()).has_value(); },
      [&](Session& session) { return store.rotate_id(session).has_value(); }};
  std::vector<Session> in_flight;
  std::set<TestCluster::Node> used;
  for (std::size_t i = 0; i < 30; ++i) {
    // Of some the key's hash tag is empty or ends early.
    const auto user = (i % 2 == 0 ? "user" : "}") + std::to_string(i);
    auto session = stored(store, user);
    in_flight.push_back(new_session(user, "in flight"));
    ASSERT_TRUE(leave_mark.at(i % leave_mark.size())(session)) << user;
    const auto place = stored_key("obol_", user, "full");
    const auto node = cluster.primary_of(place);
    used.insert(node);
    EXPECT_EQ(cluster.command(node, {"EXISTS", mark_key(place)}).integer, 1) << user;
  }
  EXPECT_EQ(used.size(), 3U);
  const auto expect_revoked = [&] {
    for (auto session : in_flight) {
      const auto outcome = store.upsert(session);
      ASSERT_FALSE(outcome.has_value()) << session.user_id;
      EXPECT_EQ(outcome.error().code, ErrorCode::revoked) << session.user_id << ": " << outcome.error().message;
    }
  };
  expect_revoked();
  for (std::size_t i = 0; i < 2 * leave_mark.size(); ++i) {
    const auto slot = slot_of(in_flight[i].user_id);
    cluster.move_slots({slot}, cluster.other_primary(cluster.primary_of(slot)));
  }
  expect_revoked();
}

TEST_P(ClusterTest, UsesPrimariesThatComeAndLetsGoOfThoseThatLeave) {
  TestCluster cluster(GetParam().server, {.replicas_each = 0});
  auto store = store_on(cluster);
  const auto sessions = stored_for_many(store);
  std::vector<TestCluster::Slot> slots;
  for (int i = 0; i < 10; ++i) slots.push_back(slot_of("user" + std::to_string(i)));
  const auto added = cluster.add_empty_primary();
  const auto functions_loaded = observer->count("functions_loaded");
  cluster.move_slots(slots, added);
  for (auto session : sessions) {
    ASSERT_TRUE(store.upsert(session).has_value());
    ASSERT_TRUE(store.get(session.key()).value().has_value());
  }
  EXPECT_GT(observer->count("functions_loaded"), functions_loaded);
  EXPECT_GT(observer->count("connection_opened " + cluster.address(added)), 0U);

  const auto address = cluster.address(added);
  cluster.remove_primary(added, 0);
  await("the node's connections to go", [&] {
    for (const auto& session : sessions) {
      const auto found = store.get(session.key());
      EXPECT_TRUE(found && *found);
    }
    return observer->count("connection_closed " + address) == observer->count("connection_opened " + address);
  });
  EXPECT_EQ(store.pool_statistics().opened, observer->count("connection_opened"));
}

TEST_P(ClusterTest, FollowsFailOversAfterAKillAHangAndByHandAndARestartOfAll) {
  TestCluster cluster(GetParam().server, {.node_timeout = milliseconds(1000)});
  auto options = options_for(cluster);
  options.timeouts = {.connect = milliseconds(1000), .command = milliseconds(1000), .total = milliseconds(8000)};
  auto store = tested_store(options);
  expect_served(store, "first");

  cluster.kill(0);
  cluster.await_promotion({3});
  expect_served(store, "killed");
  cluster.restart(0);
  cluster.await_whole();

  cluster.pause(1);
  cluster.await_promotion({4});
  expect_served(store, "hung");
  cluster.resume(1);
  cluster.await_whole();

  const auto sessions = stored_for_many(store, "by hand");
  cluster.fail_over(cluster.replicas_of(2).front());
  expect_found(store, sessions);

  cluster.restart_all();
  cluster.await_whole();
  expect_served(store, "restarted");
}

/// Both stores dial alike, and a child cannot use an asynchronous one.
class ClusterOfABlockingStore : public ClusterTest {};

TEST_P(ClusterOfABlockingStore, IsReachedByNameAndTlsAndWithAPassword) {
  const TestCluster cluster(GetParam().server,
                            {.replicas_each = 0, .uses_tls = true, .hostname = "localhost", .password = "p4ssword"});
  auto options = options_for(cluster);
  auto store = tested_store(options);
  expect_found(store, stored_for_many(store));
  EXPECT_GT(observer->count("connection_opened localhost:"), 0U);
}

TEST_P(ClusterOfABlockingStore, IsUsableInAForkedChild) {
  const TestCluster cluster(GetParam().server, {.replicas_each = 0});
  auto store = store_on(cluster);
  const auto sessions = stored_for_many(store);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto all =
        std::ranges::all_of(sessions, [&](const auto& session) { return store.get(session.key()) == session; });
    ::_exit(all ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  expect_found(store, sessions);
}

TEST_P(ClusterOfABlockingStore, ThatIsNoneIsAnInvalidArgumentAndItsSlotsNeedARight) {
  const ReservedPort port;
  const TestServer alone(GetParam().server, {"--port", std::to_string(port.number()), "--bind", "127.0.0.1"});
  auto options = testing::options_for(ConnectionOptions{});
  options.connection.cluster.seeds = {{.host = "127.0.0.1", .port = port.number()}};
  const auto error = refused(options);
  EXPECT_EQ(error.code, ErrorCode::invalid_argument);
  EXPECT_NE(error.message.find("not a node of a cluster"), std::string::npos) << error.message;

  alone.command({"ACL", "SETUSER", "web", "on", ">pw", "~*", "+@all", "-cluster"});
  options.connection.username = "web";
  options.connection.password = "pw";
  const auto denied = refused(options);
  EXPECT_EQ(denied.code, ErrorCode::permission);
  EXPECT_NE(denied.message.find("+cluster|slots"), std::string::npos) << denied.message;
}

TEST_P(ClusterTest, TellsAStoreForOneServerWhatToDo) {
  const TestCluster cluster(GetParam().server, {.replicas_each = 0});
  auto options = testing::options_for(ConnectionOptions{});
  options.connection.host = cluster.host();
  options.connection.port = cluster.port(0);
  auto store = tested_store(options);
  std::optional<Error> error;
  for (int i = 0; i < 30 && !error; ++i) {
    const auto found = store.get({.user_id = std::to_string(i), .id = "session"});
    if (!found) error = found.error();
  }
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ErrorCode::unsupported_server);
  EXPECT_NE(error->message.find("redis+cluster://"), std::string::npos) << error->message;
}

OBOL_ON_STORES(ClusterTest, all_stores_once());
OBOL_ON_STORES(ClusterOfABlockingStore, blocking_stores());

}}  // namespace obol::testing
