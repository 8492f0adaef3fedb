// RedisStore on real servers: where sessions stand, what a call costs, what a stranger's hand in Redis cannot do, keys.
#include "obol/redis_store.hpp"

#include <csignal>
#include <memory>
#include <thread>

#include "sealing/cbor.hpp"
#include "sealing/cose_mac0.hpp"
#include "sealing/sealing.hpp"
#include "support/await.hpp"
#include "support/fault_proxy.hpp"
#include "support/monitor.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

class RedisStoreTest : public ServerTest {
 protected:
  std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();
  RedisStore store = store_on(server, observer);
  Session session = stored(new_session());

  Session stored(Session value) {
    const auto outcome = store.upsert(value);
    EXPECT_TRUE(outcome.has_value()) << outcome.error().message;
    return value;
  }
};

TEST_P(RedisStoreTest, KeepsASessionInOneFieldOfItsUsersHash) {
  EXPECT_EQ(server.command({"KEYS", "*"}).elements.at(0).text, "obol_{user}:full");
  EXPECT_EQ(server.command({"HKEYS", "obol_{user}:full"}).elements.at(0).text, "session");
  EXPECT_EQ(server.command({"DBSIZE"}).integer, 1);
}

TEST_P(RedisStoreTest, LetsTheServerExpireItAndLeavesNothingBehind) {
  const auto expiry = server.command({"HPEXPIRETIME", "obol_{user}:full", "FIELDS", "1", "session"});
  EXPECT_EQ(expiry.elements.at(0).integer, session.refresh_expires_at.time_since_epoch().count() * 1000 - 1);
  ASSERT_TRUE(store.delete_one(session.key()).has_value());
  auto brief = new_session();
  brief.refresh_expires_at = now_in_seconds() + std::chrono::seconds(2);
  stored(brief);
  await("the server to be empty", [this] { return server.command({"DBSIZE"}).integer == 0; });
}

TEST_P(RedisStoreTest, NeedsOneRoundTripForEachCall) {
  Monitor monitor(server);
  const auto expect_one = [&](std::string_view command) {
    auto commands = monitor.commands();
    // Behind a write, now and then and in the same send, the store asks for the server's time.
    std::erase_if(commands,
                  [](const auto& sent) { return sent.starts_with("\"TIME\"") || sent.starts_with("\"ECHO\""); });
    ASSERT_EQ(commands.size(), 1U) << commands.at(1);
    EXPECT_TRUE(commands[0].starts_with(command)) << commands[0];
  };
  ASSERT_TRUE(store.get(session.key()).has_value());
  expect_one("\"HGET\"");
  auto another = new_session("user", "another");
  ASSERT_TRUE(store.upsert(another).has_value());
  expect_one("\"HSETEX\"");
  ASSERT_TRUE(store.upsert(another).has_value());
  expect_one(R"("FCALL" "obol_update_)");
  auto stale = another;
  stale.lock_version = 1;
  ASSERT_TRUE(store.upsert(stale).error().current.has_value());
  expect_one(R"("FCALL" "obol_update_)");
  ASSERT_EQ(store.get_all("user", "full")->size(), 2U);
  expect_one("\"HGETALL\"");
  ASSERT_TRUE(store.delete_others(session.key()).has_value());
  expect_one(R"("FCALL" "obol_delete_others_)");
  ASSERT_TRUE(store.delete_one(session.key()).has_value());
  expect_one("\"HDEL\"");
  ASSERT_TRUE(store.delete_all("user", "full").has_value());
  expect_one("\"UNLINK\"");
}

TEST_P(RedisStoreTest, DeletesSeveralTypesInOneSend) {
  ASSERT_TRUE(store.get(session.key()).has_value());
  Monitor monitor(server);
  ASSERT_TRUE(store.delete_all("user", {"full", "pending", "oauth2"}).has_value());
  expect_one_send(monitor.commands(), {R"("UNLINK" "obol_{user}:full")", R"("UNLINK" "obol_{user}:pending")",
                                       R"("UNLINK" "obol_{user}:oauth2")"});
  EXPECT_EQ(observer->count("deleted_all"), 3U);
  EXPECT_EQ(observer->count("call delete_all done"), 1U);
}

TEST_P(RedisStoreTest, RepeatsADeleteOfSeveralTypesWhoseAnswerWasLost) {
  FaultProxy proxy(server);
  auto options = options_for(proxy.connection());
  for (const auto lifetime : {0, 60}) {
    options.policy.revocation_mark_lifetime = std::chrono::seconds(lifetime);
    auto through_proxy = RedisStore::connect(options).value();
    ASSERT_TRUE(through_proxy.get(session.key()).has_value());
    auto pending = new_session();
    pending.type = "pending";
    stored(pending);
    proxy.once(Fault::cut_before_reply());
    const auto deleted = through_proxy.delete_all("user", {"full", "pending"});
    ASSERT_TRUE(deleted.has_value()) << deleted.error().message;
    ASSERT_TRUE(proxy.await_faults(static_cast<std::size_t>(lifetime == 0 ? 1 : 2)));
    for (const auto* type : {"full", "pending"}) EXPECT_TRUE(store.get_all("user", type)->empty());
    EXPECT_EQ(server.command({"EXISTS", "obol_{user}:full/revoked", "obol_{user}:pending/revoked"}).integer,
              lifetime == 0 ? 0 : 2);
  }
}

TEST_P(RedisStoreTest, LoadsTheFunctionsForADeleteOfSeveralTypesThatLeavesMarks) {
  auto options = options_for(server);
  options.policy.revocation_mark_lifetime = std::chrono::seconds(60);
  auto marking = RedisStore::connect(options).value();
  server.command({"FUNCTION", "FLUSH"});
  ASSERT_TRUE(marking.delete_all("user", {"full", "pending"}).has_value());
  EXPECT_EQ(store.get(session.key()).value(), std::nullopt);
  EXPECT_EQ(server.command({"EXISTS", "obol_{user}:full/revoked", "obol_{user}:pending/revoked"}).integer, 2);
}

TEST_P(RedisStoreTest, TakesAnySingleChangedByteForNoSession) {
  const std::string sealed(server.command({"HGET", "obol_{user}:full", "session"}).text);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    auto changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    server.command({"HSET", "obol_{user}:full", "session", changed});
    const auto found = store.get(session.key());
    ASSERT_TRUE(found.has_value()) << found.error().message;
    ASSERT_EQ(*found, std::nullopt) << "byte " << i;
  }
  EXPECT_TRUE(store.get_all("user", "full")->empty());
  EXPECT_EQ(observer->count("verification_failed"), sealed.size() + 1);
}

TEST_P(RedisStoreTest, TakesASessionMovedElsewhereForNone) {
  const std::string sealed(server.command({"HGET", "obol_{user}:full", "session"}).text);
  server.command({"HSET", "obol_{victim}:full", "session", sealed});
  server.command({"HSET", "obol_{user}:admin", "session", sealed});
  server.command({"HSET", "obol_{user}:full", "stolen", sealed});
  EXPECT_EQ(store.get({.user_id = "victim", .id = "session"}).value(), std::nullopt);
  EXPECT_EQ(store.get({.user_id = "user", .type = "admin", .id = "session"}).value(), std::nullopt);
  EXPECT_EQ(store.get({.user_id = "user", .id = "stolen"}).value(), std::nullopt);
  EXPECT_EQ(store.get_all("user", "full").value(), std::vector{session});
}

TEST_P(RedisStoreTest, KeepsStoresOfDifferentPrefixesApart) {
  auto options = options_for(server);
  options.key_prefix = "other_";
  auto other = RedisStore::connect(options).value();
  EXPECT_EQ(other.get(session.key()).value(), std::nullopt);
  ASSERT_TRUE(other.delete_all("user", "full").has_value());
  EXPECT_EQ(store.get(session.key()).value(), session);
  server.command({"COPY", "obol_{user}:full", "other_{user}:full"});
  EXPECT_EQ(other.get(session.key()).value(), std::nullopt);
}

TEST_P(RedisStoreTest, SaysThatASessionOfANewerFormatIsOne) {
  std::string payload = sealing::encode_session(session, {});
  payload[2] = 2;
  std::string data;
  sealing::cbor::Writer(data).array(4).text("obol").bytes("obol_{user}:full").bytes("session").unsigned_integer(1);
  std::string sealed = sealing::encode_lock_version(1);
  ASSERT_TRUE(sealing::write_mac0(sealed, Keyring(signing_key()).keys()->current(), data, payload));
  server.command({"HSET", "obol_{user}:full", "session", sealed});
  EXPECT_EQ(store.get(session.key()).error().code, ErrorCode::protocol);
  EXPECT_EQ(store.get_all("user", "full").error().code, ErrorCode::protocol);
  EXPECT_TRUE(store.delete_one(session.key()).has_value());
}

TEST_P(RedisStoreTest, RotatesKeysUnderRunningSessions) {
  const auto new_ring = Keyring(signing_key('n')).with_verifying_key(signing_key()).value();
  ASSERT_TRUE(store.replace_keyring(new_ring).has_value());
  EXPECT_EQ(store.get(session.key()).value(), session);
  const auto left_alone = stored(new_session("other"));
  session = stored(session);
  ASSERT_TRUE(store.replace_keyring(Keyring(signing_key('n'))).has_value());
  EXPECT_EQ(store.get(session.key()).value(), session) << "the write signed it anew";
  EXPECT_EQ(store.get(left_alone.key()).value(), left_alone);
  ASSERT_TRUE(store.replace_keyring(Keyring(signing_key())).has_value());
  EXPECT_EQ(store.get(session.key()).value(), std::nullopt) << "its key was removed";
  EXPECT_EQ(store.replace_keyring(Keyring()).error().code, ErrorCode::invalid_argument);
}

TEST_P(RedisStoreTest, RefusesAKeyringWithADifferentKeyOfAnIdInUse) {
  const auto key_of = [](char fill) { return SigningKey::from_bytes(std::string(32, fill), "k1").value(); };
  ASSERT_TRUE(store.replace_keyring(Keyring(signing_key()).with_verifying_key(key_of('a')).value()).has_value());
  EXPECT_EQ(store.replace_keyring(Keyring(key_of('b'))).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(store.get(session.key()).value(), session) << "the old keyring stays in use";
}

TEST_P(RedisStoreTest, LogsOutWhenTheServerIsOutOfMemory) {
  server.command({"CONFIG", "SET", "maxmemory", "1"});
  auto another = new_session("user", "another");
  EXPECT_EQ(store.upsert(another).error().code, ErrorCode::out_of_memory);
  EXPECT_EQ(store.upsert(session).error().code, ErrorCode::out_of_memory);
  EXPECT_EQ(store.get(session.key()).value(), session);
  EXPECT_TRUE(store.delete_others(another.key()).has_value());
  EXPECT_EQ(store.get(session.key()).value(), std::nullopt);
  EXPECT_TRUE(store.delete_one(session.key()).has_value());
  EXPECT_TRUE(store.delete_all("user", "full").has_value());
}

TEST_P(RedisStoreTest, TellsItsObserverWithoutASecret) {
  auto secret = new_session("secret user", "secret id");
  secret.refresh_token_id = "secret token";
  secret.extra_payload = "secret payload";
  secret = stored(secret);
  auto stale = secret;
  secret = stored(secret);
  EXPECT_EQ(store.upsert(stale).error().code, ErrorCode::conflict);
  server.command({"HSET", "obol_{secret user}:full", "secret other", "no session"});
  EXPECT_EQ(store.get_all("secret user", "full")->size(), 1U);
  ASSERT_TRUE(store.delete_one(secret.key()).has_value());
  EXPECT_EQ(store.upsert(secret).error().code, ErrorCode::gone);
  ASSERT_TRUE(store.delete_others(secret.key()).has_value());
  ASSERT_TRUE(store.delete_all("secret user", "full").has_value());
  store.close();
  for (const auto* event :
       {"connection_opened", "functions_loaded", "created", "refreshed", "conflict", "verification_failed", "deleted ",
        "gone", "deleted_others", "deleted_all", "connection_closed"}) {
    EXPECT_GE(observer->count(event), 1U) << event;
  }
  EXPECT_FALSE(observer->holds("secret"));
}

TEST_P(RedisStoreTest, IsClosedForAllLaterCalls) {
  store.close();
  EXPECT_EQ(store.get(session.key()).error().code, ErrorCode::closed);
  EXPECT_EQ(store.upsert(session).error().code, ErrorCode::closed);
  EXPECT_EQ(store.delete_all("user", "full").error().code, ErrorCode::closed);
}

TEST_P(RedisStoreTest, GoesOnOverNewConnectionsWhenAllWereKilled) {
  for (int i = 0; i < 20; ++i) {
    server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
    const auto found = store.get(session.key());
    ASSERT_TRUE(found.has_value()) << found.error().message;
    ASSERT_EQ(*found, session);
  }
}

TEST_P(RedisStoreTest, GoesOnAfterTheServerWasRestartedEmpty) {
  server.stop();
  server.start();
  EXPECT_EQ(store.get(session.key()).value(), std::nullopt);
  EXPECT_EQ(store.upsert(session).error().code, ErrorCode::gone);
  session.lock_version = 0;
  session = stored(session);
  session = stored(session);
  EXPECT_EQ(store.get(session.key()).value(), session);
}

TEST_P(RedisStoreTest, WaitsForAServerThatComesBackWithinTheDeadline) {
  server.stop();
  const std::jthread caller([this] { EXPECT_TRUE(store.get(session.key()).has_value()); });
  server.start();
}

TEST_P(RedisStoreTest, GivesUpOnAPausedServerAtTheDeadline) {
  auto options = options_for(server);
  options.timeouts = {.connect = std::chrono::milliseconds(200),
                      .command = std::chrono::milliseconds(200),
                      .total = std::chrono::milliseconds(500)};
  auto hurried = connected(options);
  server.signal(SIGSTOP);
  const auto start = std::chrono::steady_clock::now();
  const auto found = hurried.get(session.key());
  const auto took = std::chrono::steady_clock::now() - start;
  server.signal(SIGCONT);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, ErrorCode::timeout) << found.error().message;
  EXPECT_LT(took, std::chrono::seconds(5));
  await("the session to be read", [&] {
    const auto again = hurried.get(session.key());
    return again && *again == session;
  });
}

TEST_P(RedisStoreTest, CanBeMoved) {
  RedisStore moved = std::move(store);
  EXPECT_EQ(moved.get(session.key()).value(), session);
  store = std::move(moved);
  EXPECT_EQ(store.get(session.key()).value(), session);
}

OBOL_ON_BOTH_SERVERS(RedisStoreTest);

}}  // namespace obol::testing
