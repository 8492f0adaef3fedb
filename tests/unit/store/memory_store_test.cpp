// MemoryStore: the conformance suite, and what an injected clock and an observer show.
#include "obol/memory_store.hpp"

#include <gtest/gtest.h>

#include "obol/session_id.hpp"
#include "obol/testing/policy_conformance.hpp"
#include "obol/testing/store_conformance.hpp"
#include "support/recording_observer.hpp"
#include "support/sessions.hpp"

namespace obol::testing {

struct MemoryStoreFactory {
  static std::unique_ptr<SessionStore> make_store() { return std::make_unique<MemoryStore>(); }
};
INSTANTIATE_TYPED_TEST_SUITE_P(MemoryStore, StoreConformance, MemoryStoreFactory);

struct MemoryPolicyFactory {
  static std::unique_ptr<SessionStore> make_store(SessionPolicy policy) {
    return std::make_unique<MemoryStore>(MemoryStoreOptions{.policy = policy});
  }
};
INSTANTIATE_TYPED_TEST_SUITE_P(MemoryStore, PolicyConformance, MemoryPolicyFactory);

namespace {

TEST(MemoryStore, JudgesExpiryByItsClockToTheNanosecond) {
  auto now = std::make_shared<std::chrono::system_clock::time_point>(now_in_seconds());
  MemoryStore store({.clock = [now] { return *now; }});
  auto session = new_session();
  session.refresh_expires_at = now_in_seconds() + std::chrono::hours(1);
  ASSERT_TRUE(store.upsert(session).has_value());
  *now = session.refresh_expires_at - std::chrono::nanoseconds(1);
  EXPECT_EQ(store.get(session.key()).value(), session);
  *now = session.refresh_expires_at;
  EXPECT_EQ(store.get(session.key()).value(), std::nullopt);
  EXPECT_TRUE(store.get_all("user", "full")->empty());
}

TEST(MemoryStore, TellsItsObserverWhatHappened) {
  const auto observer = std::make_shared<RecordingObserver>();
  MemoryStore store({.observer = observer});
  auto session = new_session("secret user", "secret id");
  session.extra_payload = "secret payload";
  ASSERT_TRUE(store.upsert(session).has_value());
  auto stale = session;
  ASSERT_TRUE(store.upsert(session).has_value());
  EXPECT_FALSE(store.upsert(stale).has_value());
  ASSERT_TRUE(store.delete_one(session.key()).has_value());
  EXPECT_FALSE(store.upsert(session).has_value());
  ASSERT_TRUE(store.delete_others(session.key()).has_value());
  ASSERT_TRUE(store.delete_all(session.user_id, session.type).has_value());
  const std::string who = " " + session_id_hash("secret id") + " full ";
  EXPECT_EQ(
      observer->lines(),
      (std::vector<std::string>{"created" + who + "1", "call create done", "refreshed" + who + "2", "call update done",
                                "conflict" + who + "1", "call update failed", "deleted" + who + "0",
                                "call delete_one done", "gone" + who + "2", "call update failed", "deleted_others full",
                                "call delete_others done", "deleted_all full", "call delete_all done"}));
  EXPECT_FALSE(observer->holds("secret"));
}

TEST(MemoryStore, TellsItsObserverOfOneCallThatDeletedSeveralTypes) {
  const auto observer = std::make_shared<RecordingObserver>();
  MemoryStore store({.observer = observer});
  ASSERT_TRUE(store.delete_all("user", {"full", "pending"}).has_value());
  EXPECT_FALSE(store.delete_all("user", {"full", "a b"}).has_value());
  EXPECT_EQ(observer->lines(), (std::vector<std::string>{"deleted_all full", "deleted_all pending",
                                                         "call delete_all done", "call delete_all failed"}));
}

TEST(MemoryStore, TellsItsObserverOfEachReadOnce) {
  const auto observer = std::make_shared<RecordingObserver>();
  MemoryStore store({.observer = observer});
  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  ASSERT_TRUE(store.rotate_id(session).has_value());
  ASSERT_TRUE(store.get(session.key()).value().has_value());
  ASSERT_FALSE(store.get({.user_id = "user", .id = "another"}).value().has_value());
  ASSERT_FALSE(store.get({.user_id = {}, .id = "another"}).has_value());
  const std::vector keys(2, session.key());
  ASSERT_TRUE(store.get_many(keys).has_value());
  ASSERT_TRUE(store.get_all("user", "full").has_value());
  for (const auto* call :
       {"rotate_id done", "get found", "get absent", "get failed", "get_many done", "get_all done"}) {
    EXPECT_EQ(observer->count("call " + std::string(call)), 1U) << call;
  }
}

}  // namespace
}  // namespace obol::testing
