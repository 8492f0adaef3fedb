// What SessionStore does itself for stores that override only what they must.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "obol/memory_store.hpp"
#include "obol/testing/store_conformance.hpp"

namespace obol::testing {

/// A store as a host may write it.
class SmallStore final : public SessionStore {
 public:
  using SessionStore::delete_all;
  Result<std::optional<Session>> get(const SessionKey& key) override { return store_.get(key); }
  std::expected<Upserted, UpsertError> upsert(Session& session) override { return store_.upsert(session); }
  std::expected<void, UpsertError> rotate_id(Session& session) override { return store_.rotate_id(session); }
  Result<Deleted> delete_one(const SessionKey& key) override { return store_.delete_one(key); }
  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override {
    return store_.get_all(user_id, type);
  }
  Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override {
    deleted.emplace_back(type);
    if (const auto failure = failures.find(type); failure != failures.end()) {
      return std::unexpected(Error{failure->second, "failed"});
    }
    if (const auto count = replicas.find(type); count != replicas.end()) {
      return Deleted{.confirmed_replicas = count->second};
    }
    return store_.delete_all(user_id, type);
  }
  Result<Deleted> delete_others(const SessionKey& keep) override { return store_.delete_others(keep); }

  std::map<std::string, ErrorCode, std::less<>> failures;
  std::map<std::string, std::size_t, std::less<>> replicas;
  std::vector<std::string> deleted;

 private:
  MemoryStore store_;
};

struct SmallStoreFactory {
  std::unique_ptr<SessionStore> make_store() { return std::make_unique<SmallStore>(); }
};
INSTANTIATE_TYPED_TEST_SUITE_P(SmallStore, StoreConformance, SmallStoreFactory);

namespace {

TEST(SmallStore, ForgetsNoTypeIfADeleteOfAnotherFails) {
  SmallStore store;
  store.failures = {{"b", ErrorCode::unavailable}, {"c", ErrorCode::timeout}};
  const auto outcome = store.delete_all("user", {"a", "b", "c", "d"});
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, ErrorCode::unavailable);
  EXPECT_EQ(store.deleted, (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST(SmallStore, HasDeletedSeveralTypesInAsManyReplicasAsConfirmedAllOfThem) {
  SmallStore store;
  store.replicas = {{"a", 2}, {"b", 1}, {"c", 3}};
  EXPECT_EQ(store.delete_all("user", {"a", "b", "c"})->confirmed_replicas, 1U);
}

}  // namespace
}  // namespace obol::testing
