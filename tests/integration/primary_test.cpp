// Primaries and replicas: a demoted primary serves no session, and deletes are as durable as was asked for.
#include <csignal>

#include "support/await.hpp"
#include "support/replicated_server.hpp"
#include "support/server_test.hpp"

namespace obol::testing {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

class Primary : public ServerTest {
 protected:
  std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();

  RedisStoreOptions options() const {
    auto options = options_for(server, observer);
    options.timeouts.total = milliseconds(2000);
    return options;
  }

  void demote() const { server.command({"REPLICAOF", "127.0.0.1", "1"}); }
  void promote() const { server.command({"REPLICAOF", "NO", "ONE"}); }
};

TEST_P(Primary, ThatWasDemotedServesNoReadAfterTwoSeconds) {
  auto store = connected(options());
  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  ASSERT_TRUE(store.get(session.key()).has_value());
  demote();
  const auto demoted_at = Clock::now();
  while (true) {
    const auto asked_at = Clock::now();
    const auto found = store.get(session.key());
    if (!found) {
      EXPECT_EQ(found.error().code, ErrorCode::unavailable);
      break;
    }
    ASSERT_LT(asked_at - demoted_at, milliseconds(2000)) << "a replica's answer was taken for the primary's";
  }
  promote();
  await("a read from the primary", [&] { return store.get(session.key()).has_value(); });
}

TEST_P(Primary, ThatRefusesAWriteIsLeftByEveryConnection) {
  auto store = connected(options());
  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  demote();
  EXPECT_EQ(store.upsert(session).error().code, ErrorCode::unavailable);
  // No connection of before is left to answer a read.
  EXPECT_EQ(store.get(session.key()).error().code, ErrorCode::unavailable);
}

TEST_P(Primary, IsWhatConnectAsksFor) {
  demote();
  const auto store = RedisStore::connect(options());
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, ErrorCode::unavailable);
  EXPECT_NE(store.error().message.find("replica"), std::string::npos) << store.error().message;
}

OBOL_ON_BOTH_SERVERS(Primary);

class DurableDelete : public ::testing::TestWithParam<ServerKind> {
 protected:
  RedisStore store(std::size_t replicas, milliseconds timeout = milliseconds(8000)) const {
    auto options = options_for(primary);
    options.delete_durability = {.replicas = replicas, .timeout = timeout};
    return RedisStore::connect(options).value();
  }

  Session stored(RedisStore& in, std::string id) const {
    auto session = new_session("user", std::move(id));
    EXPECT_TRUE(in.upsert(session).has_value());
    return session;
  }

  ReplicatedServer servers{GetParam()};
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
  EXPECT_EQ(store(0).delete_all("user", "full")->confirmed_replicas, 0U);
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
  ASSERT_TRUE(durable.delete_one(session.key()).has_value());
  EXPECT_EQ(primary.command({"DBSIZE"}).integer, 0);
}

INSTANTIATE_TEST_SUITE_P(On, DurableDelete, ::testing::Values(ServerKind::redis, ServerKind::valkey),
                         [](const auto& parameter) { return name_of(parameter.param); });

}  // namespace
}  // namespace obol::testing
