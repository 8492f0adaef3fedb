// AsyncRedisStore on real servers: what its calls do, and what caller and observer are told.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "obol/background_driver.hpp"
#include "obol/testing/coroutine.hpp"
#include "obol/testing/queueing_executor.hpp"
#include "support/async_calls.hpp"
#include "support/monitor.hpp"
#include "support/near_cache_test.hpp"
#include "support/replicated_server.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;

/// Gives the outcome of the call.
template <class T>
Coroutine await_into(AsyncCall<T> call, std::optional<T>& outcome) {
  outcome.emplace(co_await std::move(call));
}

/// True if a coroutine that awaits the call is not suspended.
template <class T>
bool is_known_at_once(AsyncCall<T> call) {
  std::optional<T> outcome;
  return await_into(std::move(call), outcome).done();
}

class AsyncStoreTest : public ServerTest {
 protected:
  static Session stored(AsyncRedisStore& store, std::string id = "session") {
    return outcome_of(store, store.upsert(new_session("user", std::move(id)))).value().session;
  }

  /// What the observer has been told since there were so many lines.
  std::vector<std::string> told_since(std::size_t count) const {
    const auto lines = observer->lines();
    return {lines.begin() + static_cast<std::ptrdiff_t>(count), lines.end()};
  }

  std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();
};

TEST_P(AsyncStoreTest, StoresReadsRotatesAndDeletesSessions) {
  auto store = async_connected(options_for(server));
  const auto created = outcome_of(store, store.upsert(new_session())).value();
  EXPECT_EQ(created.session.lock_version, 1U);
  EXPECT_EQ(outcome_of(store, store.get(created.session.key())).value(), created.session);
  const auto updated = outcome_of(store, store.upsert(created.session)).value().session;
  EXPECT_EQ(updated.lock_version, 2U);
  const auto rotated = outcome_of(store, store.rotate_id(updated)).value();
  EXPECT_EQ(rotated.lock_version, 3U);
  EXPECT_NE(rotated.id, updated.id);
  EXPECT_EQ(outcome_of(store, store.get(updated.key())).value(), std::nullopt);
  const auto other = stored(store, "other");
  EXPECT_EQ(outcome_of(store, store.get_many({rotated.key(), updated.key(), other.key()})).value(),
            (std::vector<std::optional<Session>>{rotated, std::nullopt, other}));
  EXPECT_TRUE(outcome_of(store, store.delete_others(rotated.key())));
  EXPECT_EQ(outcome_of(store, store.get_all("user", "full")).value(), std::vector{rotated});
  EXPECT_TRUE(outcome_of(store, store.delete_one(rotated.key())));
  EXPECT_TRUE(outcome_of(store, store.get_all("user", "full")).value().empty());
  stored(store);
  EXPECT_TRUE(outcome_of(store, store.delete_all("user", "full")));
  EXPECT_EQ(outcome_of(store, store.get(new_session().key())).value(), std::nullopt);
}

TEST_P(AsyncStoreTest, SharesItsSessionsWithStoresThatBlock) {
  auto options = options_for(server);
  options.encryption = Encryption::require;
  auto store = async_connected(options);
  auto blocking = connected(options);
  auto session = new_session();
  ASSERT_TRUE(blocking.upsert(session));
  const auto updated = outcome_of(store, store.upsert(session)).value().session;
  EXPECT_EQ(blocking.get(session.key()).value(), updated);
}

TEST_P(AsyncStoreTest, ReadsThousandsOfSessionsInTheirOrder) {
  auto store = async_connected(options_for(server));
  const auto session = stored(store);
  std::vector<SessionKey> keys(2500, {.user_id = "nobody", .id = "absent"});
  keys.back() = keys.front() = session.key();
  const auto found = outcome_of(store, store.get_many(keys));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->front(), session);
  EXPECT_EQ(found->back(), session);
  EXPECT_EQ(std::ranges::count_if(*found, [](const auto& one) { return !one; }), 2498);
}

TEST_P(AsyncStoreTest, GivesTheWinnerToTheLoserOfARefreshRace) {
  auto store = async_connected(options_for(server));
  const auto session = stored(store);
  Told first(store.upsert(session));
  Told second(store.upsert(session));
  drive_until(store, "both outcomes", [&] { return first && second; });
  auto& winner = *first ? first : second;
  auto& loser = *first ? second : first;
  ASSERT_TRUE(*winner) << winner->error().message;
  EXPECT_EQ(loser.code(), ErrorCode::conflict);
  EXPECT_EQ(loser->error().current, (*winner)->session);
}

TEST_P(AsyncStoreTest, TellsThatASessionIsGoneOrHasExpired) {
  auto store = async_connected(options_for(server));
  const auto session = stored(store);
  ASSERT_TRUE(outcome_of(store, store.delete_one(session.key())));
  EXPECT_EQ(outcome_of(store, store.upsert(session)).error().code, ErrorCode::gone);
  EXPECT_EQ(outcome_of(store, store.rotate_id(session)).error().code, ErrorCode::gone);
  auto expired = session;
  expired.refresh_expires_at = now_in_seconds() - std::chrono::seconds(1);
  EXPECT_EQ(outcome_of(store, store.upsert(expired)).error().code, ErrorCode::expired);
}

TEST_P(AsyncStoreTest, KnowsRefusedArgumentsAtOnce) {
  auto store = async_connected(options_for(server, observer));
  const SessionKey no_key{.user_id = "user", .id = ""};
  EXPECT_TRUE(is_known_at_once(store.get(no_key)));
  EXPECT_TRUE(is_known_at_once(store.get_from_replica(no_key)));
  EXPECT_TRUE(is_known_at_once(store.get_many({new_session().key(), no_key})));
  EXPECT_TRUE(is_known_at_once(store.delete_one(no_key)));
  EXPECT_TRUE(is_known_at_once(store.delete_others(no_key)));
  EXPECT_TRUE(is_known_at_once(store.get_all("", "full")));
  EXPECT_TRUE(is_known_at_once(store.get_all_from_replica("", "full")));
  EXPECT_TRUE(is_known_at_once(store.delete_all("", "full")));
  EXPECT_TRUE(is_known_at_once(store.upsert({})));
  EXPECT_TRUE(is_known_at_once(store.rotate_id(new_session()))) << "it was never stored";
  EXPECT_EQ(observer->count("call "), 10U);
  for (const auto& line : observer->lines()) {
    EXPECT_TRUE(!line.starts_with("call ") || line.ends_with(" failed")) << line;
  }
}

TEST_P(AsyncStoreTest, TellsAHandlerOfARefusalLater) {
  auto store = async_connected(options_for(server));
  Told refused(store.get({}));
  EXPECT_EQ(refused.times(), 0);
  drive_until(store, "the refusal", [&] { return refused.times() > 0; });
  EXPECT_EQ(refused.code(), ErrorCode::invalid_argument);
}

TEST_P(AsyncStoreTest, TellsTheObserverBeforeTheCaller) {
  auto store = async_connected(options_for(server, observer));
  const auto before = observer->lines().size();
  std::vector<std::string> told;
  store.upsert(new_session()).start([&](const auto&) { told = told_since(before); });
  drive_until(store, "the outcome", [&] { return !told.empty(); });
  std::erase_if(told, [](const auto& line) { return line.starts_with("connection_"); });
  ASSERT_EQ(told.size(), 2U);
  EXPECT_TRUE(told[0].starts_with("created ")) << told[0];
  EXPECT_EQ(told[1], "call create done");
}

TEST_P(AsyncStoreTest, TellsTheObserverOfEveryCall) {
  auto store = async_connected(options_for(server, observer));
  auto session = stored(store);
  (void)outcome_of(store, store.get(session.key()));
  (void)outcome_of(store, store.get(new_session("nobody").key()));
  session = outcome_of(store, store.upsert(session)).value().session;
  (void)outcome_of(store, store.upsert(new_session()));
  session = outcome_of(store, store.rotate_id(session)).value();
  (void)outcome_of(store, store.upsert(outcome_of(store, store.upsert(session)).value().session));
  (void)outcome_of(store, store.get_many({session.key()}));
  (void)outcome_of(store, store.get_all("user", "full"));
  (void)outcome_of(store, store.delete_others(session.key()));
  (void)outcome_of(store, store.delete_one(session.key()));
  (void)outcome_of(store, store.upsert(session));
  (void)outcome_of(store, store.delete_all("user", "full"));
  std::vector<std::string> calls;
  for (const auto& line : observer->lines()) {
    if (line.starts_with("call ")) calls.push_back(line.substr(5));
  }
  EXPECT_EQ(calls,
            (std::vector<std::string>{"create done", "get found", "get absent", "update done", "create failed",
                                      "rotate_id done", "update done", "update done", "get_many done", "get_all done",
                                      "delete_others done", "delete_one done", "update failed", "delete_all done"}));
  for (const auto* const event :
       {"created ", "refreshed ", "conflict ", "id_rotated ", "deleted_others ", "deleted ", "gone ", "deleted_all "}) {
    EXPECT_GE(observer->count(event), 1U) << event;
  }
}

TEST_P(AsyncStoreTest, KeepsTheSessionPolicy) {
  auto options = options_for(server, observer);
  options.policy = {.max_sessions = 1};
  auto store = async_connected(options);
  stored(store, "first");
  const auto second = outcome_of(store, store.upsert(new_session("user", "second"))).value();
  EXPECT_EQ(second.evicted, std::vector<std::string>{"first"});
  EXPECT_EQ(observer->count("evicted "), 1U);
  options.policy.when_full = WhenFull::refuse;
  auto strict = async_connected(options);
  EXPECT_EQ(outcome_of(strict, strict.upsert(new_session("user", "third"))).error().code, ErrorCode::too_many_sessions);
  EXPECT_EQ(observer->count("refused "), 1U);
}

TEST_P(AsyncStoreTest, ACreateWhoseAnswerWasLostIsItsOwn) {
  FaultProxy proxy(server);
  auto store = async_connected(options_for(proxy.connection()));
  (void)outcome_of(store, store.get(new_session().key()));
  proxy.once(Fault::cut_before_reply());
  const auto created = outcome_of(store, store.upsert(new_session()));
  ASSERT_TRUE(created) << created.error().message;
  EXPECT_EQ(created->session.lock_version, 1U);
}

TEST_P(AsyncStoreTest, DeletesSeveralTypesInOneSend) {
  auto store = async_connected(options_for(server, observer));
  (void)outcome_of(store, store.get(new_session().key()));
  Monitor monitor(server);
  ASSERT_TRUE(outcome_of(store, store.delete_all("user", {"full", "pending", "oauth2"})).has_value());
  expect_one_send(monitor.commands(), {R"("UNLINK" "obol_{user}:full")", R"("UNLINK" "obol_{user}:pending")",
                                       R"("UNLINK" "obol_{user}:oauth2")"});
  EXPECT_EQ(observer->count("deleted_all"), 3U);
  EXPECT_EQ(observer->count("call delete_all done"), 1U);
}

TEST_P(AsyncStoreTest, ADeleteWaitsForReplicas) {
  const ReplicatedServer replicated(GetParam());
  auto options = options_for(replicated.primary);
  options.delete_durability = {.replicas = 1, .timeout = milliseconds(5000)};
  auto store = async_connected(options);
  const auto session = stored(store);
  EXPECT_EQ(outcome_of(store, store.delete_one(session.key()))->confirmed_replicas, 1U);
  EXPECT_EQ(outcome_of(store, store.delete_all("user", {"full", "pending"}))->confirmed_replicas, 1U);
}

TEST_P(AsyncStoreTest, RunsHandlersWhereTheExecutorSays) {
  auto store = async_connected(options_for(server));
  QueueingExecutor executor;
  for (const auto& key : {new_session().key(), SessionKey{}}) {
    const Told told(store.get(key, {.executor = &executor}));
    Completions ready;
    drive_until(store, "the outcome to be posted", [&] {
      ready.append(executor.take());
      return !ready.empty();
    });
    EXPECT_EQ(told.times(), 0);
    ready.run();
    EXPECT_EQ(told.times(), 1);
  }
}

TEST_P(AsyncStoreTest, IsWaitedForByAnyThreadButItsDriver) {
  auto store = async_connected(options_for(server));
  store.run_ready();
  EXPECT_EQ(store.get(new_session().key()).wait().error().code, ErrorCode::invalid_argument);
  {
    const BackgroundDriver driver(store);
    EXPECT_EQ(store.get(new_session().key()).wait().value(), std::nullopt);
    EXPECT_EQ(store.get(new_session().key()).future().get().value(), std::nullopt);
  }
}

TEST_P(AsyncStoreTest, TellsThatNobodyDrivesIt) {
  auto store = async_connected(options_for(server));
  EXPECT_EQ(store.get(new_session().key(), {.timeout = milliseconds(1)}).wait().error().code, ErrorCode::timeout);
}

TEST_P(AsyncStoreTest, DiagnosesTheServer) {
  auto store = async_connected(options_for(server));
  const auto findings = outcome_of(store, store.diagnose());
  ASSERT_TRUE(findings) << findings.error().message;
  EXPECT_EQ(findings->size(), store_on(server).diagnose()->size());
  const auto refused = outcome_of(store, store.diagnose({.timeout = milliseconds(-1)}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
}

TEST_P(AsyncStoreTest, SignsWithANewKeyring) {
  auto store = async_connected(options_for(server));
  auto another = store.another().value();
  const Keyring newer(signing_key('n'));
  EXPECT_EQ(store.replace_keyring({}).error().code, ErrorCode::invalid_argument);
  ASSERT_TRUE(store.replace_keyring(newer));
  const auto session = stored(another);
  auto options = options_for(server);
  options.keyring = newer;
  EXPECT_EQ(connected(options).get(session.key()).value(), session);
}

OBOL_ON_BOTH_SERVERS(AsyncStoreTest);

class AsyncNearCacheTest : public NearCacheTest {};

TEST_P(AsyncNearCacheTest, AnswersAtOnceAndForAllStores) {
  auto store = async_connected(options());
  auto another = store.another().value();
  const auto session = outcome_of(store, store.upsert(new_session())).value().session;
  testing::await("a hit", [&] {
    EXPECT_EQ(outcome_of(store, store.get(session.key())).value(), session);
    return store.near_cache_statistics().hits > 0;
  });
  EXPECT_GE(observer->count("call get found_near"), 1U);
  std::optional<Result<std::optional<Session>>> found;
  const auto coroutine = await_into(another.get(session.key()), found);
  ASSERT_TRUE(coroutine.done());
  EXPECT_EQ(found->value(), session);
  // Before the caller learns of it, a write drops what was kept.
  const auto updated = outcome_of(another, another.upsert(session)).value().session;
  EXPECT_EQ(outcome_of(store, store.get(session.key())).value(), updated);
}

OBOL_ON_BOTH_SERVERS(AsyncNearCacheTest);

}}  // namespace obol::testing
