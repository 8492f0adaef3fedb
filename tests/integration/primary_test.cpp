// Primaries and replicas: a demoted primary serves no session, and deletes are as durable as was asked for.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <set>
#include <sstream>
#include <thread>

#include "support/await.hpp"
#include "support/fault_proxy.hpp"
#include "support/replicated_server.hpp"
#include "support/tested_store.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

class Primary : public TestedStoreTest {
 protected:
  std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();

  RedisStoreOptions options() const {
    auto options = options_for(server, observer);
    options.timeouts.total = milliseconds(2000);
    return options;
  }

  /// What a call is told that ends while there is no primary: `timeout` if the machine stood still for that long.
  static bool is_out_of_reach(const Error& error) {
    return error.code == ErrorCode::unavailable || error.code == ErrorCode::timeout;
  }

  /// The ids of the server's connections; with that of the question, which ends with it.
  std::set<std::string> connections() const {
    const auto reply = server.command({"CLIENT", "LIST"});
    std::istringstream lines{std::string(reply.text)};
    std::set<std::string> ids;
    for (std::string line; std::getline(lines, line);) ids.insert(line.substr(0, line.find(' ')));
    return ids;
  }

  void demote() const { server.command({"REPLICAOF", "127.0.0.1", "1"}); }
  void promote() const { server.command({"REPLICAOF", "NO", "ONE"}); }
};

TEST_P(Primary, ThatWasDemotedServesNoReadAfterTwoSeconds) {
  auto store = tested_store(options());
  auto session = new_session();
  ASSERT_TRUE(store_on(server).upsert(session).has_value());
  await("a read", [&] { return store.get(session.key()).has_value(); });
  demote();
  const auto demoted_at = Clock::now();
  while (true) {
    const auto asked_at = Clock::now();
    const auto found = store.get(session.key());
    if (!found) {
      EXPECT_TRUE(is_out_of_reach(found.error())) << found.error().message;
      break;
    }
    ASSERT_LT(asked_at - demoted_at, milliseconds(2000)) << "a replica's answer was taken for the primary's";
  }
  promote();
  await("a read from the primary", [&] { return store.get(session.key()).has_value(); });
}

/// An asynchronous store has one connection, and connects like the other.
class PrimaryOfAPool : public Primary {};

TEST_P(PrimaryOfAPool, ThatRefusesAWriteIsLeftByEveryConnection) {
  std::atomic<int> writes = 0;
  FaultProxy proxy(server);
  auto through_proxy = options();
  through_proxy.connection = proxy.connection();
  auto store = connected(through_proxy);
  auto session = new_session();
  ASSERT_TRUE(store_on(server).upsert(session).has_value());
  proxy.always(Fault::delay(milliseconds(100)), "HGET");
  await("a second connection", [&] {
    std::jthread other([&] { static_cast<void>(store.get(session.key())); });
    static_cast<void>(store.get(session.key()));
    other.join();
    return store.pool_statistics().idle >= 2;
  });
  proxy.follow([&](std::string_view word) {
    if (word == "FCALL") ++writes;
    return Fault{};
  });
  const auto before = connections();
  ASSERT_GE(before.size(), 3U) << "the store's and the question's";
  demote();
  await("the server to be left by every connection of before", [&] {
    const auto stored = store.upsert(session);
    EXPECT_TRUE(!stored && is_out_of_reach(stored.error()));
    const auto now = connections();
    return std::ranges::none_of(before, [&](const std::string& id) { return now.contains(id); });
  });
  EXPECT_LE(writes, 1) << "the other connections need not be refused, too";
  const auto found = store.get(session.key());
  ASSERT_FALSE(found.has_value());
  EXPECT_TRUE(is_out_of_reach(found.error())) << found.error().message;
}

TEST_P(PrimaryOfAPool, IsWhatConnectAsksFor) {
  demote();
  const auto store = RedisStore::connect(options_for(server));
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, ErrorCode::unavailable);
  EXPECT_NE(store.error().message.find("replica"), std::string::npos) << store.error().message;
}

OBOL_ON_STORES(Primary, all_stores());
OBOL_ON_STORES(PrimaryOfAPool, blocking_stores());

class DurableDelete : public ::testing::TestWithParam<StoreOnServer> {
 protected:
  TestedStore store(std::size_t replicas, milliseconds timeout = milliseconds(8000)) const {
    auto options = options_for(primary);
    options.delete_durability = {.replicas = replicas, .timeout = timeout};
    return {GetParam().store, options};
  }

  Session stored(SessionStore& in, std::string id) const {
    auto session = new_session("user", std::move(id));
    EXPECT_TRUE(in.upsert(session).has_value());
    return session;
  }

  ReplicatedServer servers{GetParam().server};
  TestServer& primary = servers.primary;
  TestServer& replica = servers.replica;
};

TEST_P(DurableDelete, TellsHowManyReplicasHaveIt) {
  auto durable = store(1);
  const auto session = stored(durable, "a");
  stored(durable, "b");
  EXPECT_EQ(durable.delete_one(session.key())->confirmed_replicas, 1U);
  EXPECT_EQ(durable.delete_others(session.key())->confirmed_replicas, 1U);
  EXPECT_EQ(durable.delete_all("user", "full")->confirmed_replicas, 1U);
  EXPECT_EQ(durable.delete_all("user", {"full", "pending"})->confirmed_replicas, 1U);
  EXPECT_EQ(store(0).delete_all("user", "full")->confirmed_replicas, 0U);
  EXPECT_EQ(store(0).delete_all("user", {"full", "pending"})->confirmed_replicas, 0U);
}

TEST_P(DurableDelete, IsInTheReplicaOnceItIsConfirmed) {
  auto durable = store(1);
  for (int i = 0; i < 50; ++i) {
    const auto session = stored(durable, "id" + std::to_string(i));
    ASSERT_EQ(durable.delete_one(session.key())->confirmed_replicas, 1U);
    ASSERT_EQ(replica.command({"HGET", "obol_{user}:full", session.id}).kind, redis::Reply::Kind::nil);
  }
}

// The replica is stopped after another store's delete, so that nothing is left for this one to delete.
TEST_P(DurableDelete, ThatFindsNothingIsNotConfirmedByAReplicaThatIsBehind) {
  auto plain = store(0);
  auto durable = store(1, milliseconds(300));
  const auto session = stored(plain, "a");
  const auto is_confirmed = [&](const SessionKey& key) { return durable.delete_one(key)->confirmed_replicas == 1; };
  await("a delete to be confirmed", [&] { return is_confirmed({.user_id = "user", .id = "none"}); });
  replica.signal(SIGSTOP);
  ASSERT_TRUE(plain.delete_one(session.key()).has_value());
  EXPECT_FALSE(is_confirmed(session.key()));
  replica.signal(SIGCONT);
  await("the replica to confirm it", [&] { return is_confirmed(session.key()); });
}

TEST_P(DurableDelete, LeavesNothingBehind) {
  auto durable = store(1);
  const auto session = stored(durable, "a");
  const auto deleted = durable.delete_one(session.key());
  ASSERT_TRUE(deleted.has_value()) << deleted.error().message;
  EXPECT_EQ(primary.command({"DBSIZE"}).integer, 0);
}

OBOL_ON_STORES(DurableDelete, all_stores());

}}  // namespace obol::testing
