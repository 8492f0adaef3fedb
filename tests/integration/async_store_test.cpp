// AsyncRedisStore on real servers: what its calls do, and what its host sees of them.
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/async_calls.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

class AsyncStoreTest : public ServerTest {
 protected:
  Session stored(AsyncRedisStore& store, std::string id = "session") {
    return outcome_of(store, store.upsert(new_session("user", std::move(id)))).value().session;
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
  EXPECT_EQ(outcome_of(store, store.get_from_replica(other.key())).value(), other);
  EXPECT_TRUE(outcome_of(store, store.delete_others(rotated.key())));
  EXPECT_EQ(outcome_of(store, store.get_all("user", "full")).value(), std::vector{rotated});
  EXPECT_EQ(outcome_of(store, store.get_all_from_replica("user", "full")).value(), std::vector{rotated});
  EXPECT_TRUE(outcome_of(store, store.delete_one(rotated.key())));
  EXPECT_TRUE(outcome_of(store, store.get_all("user", "full")).value().empty());
  stored(store);
  EXPECT_TRUE(outcome_of(store, store.delete_all("user", "full")));
  EXPECT_EQ(outcome_of(store, store.get(new_session().key())).value(), std::nullopt);
}

TEST_P(AsyncStoreTest, DiagnosesTheServer) {
  auto store = async_connected(options_for(server));
  const auto findings = outcome_of(store, store.diagnose());
  ASSERT_TRUE(findings) << findings.error().message;
  EXPECT_EQ(findings->size(), store_on(server).diagnose()->size());
}

OBOL_ON_BOTH_SERVERS(AsyncStoreTest);

}}  // namespace obol::testing
