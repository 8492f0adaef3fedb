// A GoogleTest suite for any SessionStore that has a SessionPolicy: the maximum number of sessions and "log out
// everywhere".
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "obol/session_policy.hpp"
#include "obol/session_store.hpp"

/// Used like StoreConformance. The factory's `make_store(SessionPolicy)` returns a store on fresh, empty data. Its
/// optional `make_second_store(SessionPolicy)` returns another store on the same data.
namespace obol::testing {

/// Owns a store with the policy that the test asks for.
template <class Factory>
class PolicyConformance : public ::testing::Test {
 protected:
  using Seconds = std::chrono::seconds;

  void use(SessionPolicy policy) { store = factory.make_store(policy); }

  static Session make_session(std::string id, Seconds lives = Seconds(3600), std::string type = "full") {
    const auto now = std::chrono::floor<Seconds>(std::chrono::system_clock::now());
    return {.id = std::move(id),
            .user_id = "user",
            .type = std::move(type),
            .refresh_token_id = "token",
            .created_at = now,
            .refreshed_at = now,
            .refresh_expires_at = now + lives,
            .tokens_fresh_from = now,
            .prev_tokens_fresh_from = now};
  }

  Upserted stored(Session session) {
    const auto outcome = store->upsert(session);
    EXPECT_TRUE(outcome.has_value()) << outcome.error().message;
    return outcome ? *outcome : Upserted{};
  }

  std::error_code refusal(Session session) {
    const auto before = session;
    const auto outcome = store->upsert(session);
    EXPECT_EQ(session, before);
    return outcome ? std::error_code() : outcome.error().code;
  }

  std::vector<std::string> ids() {
    std::vector<std::string> found;
    const auto sessions = store->get_all("user", "full").value();
    for (const auto& session : sessions) found.push_back(session.id);
    std::ranges::sort(found);
    return found;
  }

  Factory factory;
  std::unique_ptr<SessionStore> store;
};
TYPED_TEST_SUITE_P(PolicyConformance);

TYPED_TEST_P(PolicyConformance, ANewSessionEvictsTheOneThatExpiresFirst) {
  this->use({.max_sessions = 3});
  EXPECT_TRUE(this->stored(this->make_session("long", std::chrono::seconds(900))).evicted.empty());
  this->stored(this->make_session("short", std::chrono::seconds(300)));
  this->stored(this->make_session("middle", std::chrono::seconds(600)));
  EXPECT_EQ(this->stored(this->make_session("new", std::chrono::seconds(60))).evicted,
            std::vector<std::string>{"short"});
  EXPECT_EQ(this->ids(), (std::vector<std::string>{"long", "middle", "new"}));
}

TYPED_TEST_P(PolicyConformance, ALowerMaximumEvictsAsManyAsItTakes) {
  if constexpr (!requires { this->factory.make_second_store(SessionPolicy{}); }) {
    GTEST_SKIP() << "the factory makes no second store";
  } else {
    this->use({.max_sessions = 5});
    for (int i = 0; i < 5; ++i) this->stored(this->make_session(std::to_string(i), std::chrono::seconds(100 + i)));
    const auto lower = this->factory.make_second_store({.max_sessions = 2});
    auto session = this->make_session("new");
    EXPECT_EQ(lower->upsert(session)->evicted, (std::vector<std::string>{"0", "1", "2", "3"}));
    EXPECT_EQ(this->ids(), (std::vector<std::string>{"4", "new"}));
  }
}

TYPED_TEST_P(PolicyConformance, AFullUserIsRefusedWhereThePolicySaysSo) {
  this->use({.max_sessions = 2, .when_full = WhenFull::refuse});
  this->stored(this->make_session("a"));
  this->stored(this->make_session("b"));
  EXPECT_EQ(this->refusal(this->make_session("c")), ErrorCode::too_many_sessions);
  ASSERT_TRUE(this->store->delete_one({.user_id = "user", .id = "a"}).has_value());
  this->stored(this->make_session("c"));
}

TYPED_TEST_P(PolicyConformance, ExpiredSessionsAndOtherTypesDoNotCount) {
  this->use({.max_sessions = 1, .when_full = WhenFull::refuse});
  this->stored(this->make_session("other", std::chrono::seconds(3600), "oauth2"));
  const auto brief = this->make_session("brief", std::chrono::seconds(3));
  this->stored(brief);
  EXPECT_EQ(this->refusal(this->make_session("early")), ErrorCode::too_many_sessions);
  std::this_thread::sleep_until(brief.refresh_expires_at + std::chrono::milliseconds(50));
  EXPECT_TRUE(this->stored(this->make_session("late")).evicted.empty());
}

TYPED_TEST_P(PolicyConformance, RefreshesNeedNoRoom) {
  this->use({.max_sessions = 1, .when_full = WhenFull::refuse});
  auto session = this->make_session("only");
  ASSERT_TRUE(this->store->upsert(session).has_value());
  EXPECT_TRUE(this->store->upsert(session).has_value());
  EXPECT_TRUE(this->store->rotate_id(session).has_value());
}

TYPED_TEST_P(PolicyConformance, AnIdThatStandsIsAConflictAndEvictsNobody) {
  this->use({.max_sessions = 1, .revocation_mark_lifetime = std::chrono::seconds(60)});
  auto session = this->make_session("only");
  ASSERT_TRUE(this->store->upsert(session).has_value());
  auto again = this->make_session("only");
  const auto outcome = this->store->upsert(again);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, ErrorCode::conflict);
  EXPECT_EQ(outcome.error().current, session);
}

TYPED_TEST_P(PolicyConformance, TheMaximumHoldsForManyLoginsAtOnce) {
  this->use({.max_sessions = 4});
  std::atomic<std::size_t> evicted = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 8; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < 10; ++i) {
          auto session = this->make_session(std::to_string(thread) + "-" + std::to_string(i));
          const auto outcome = this->store->upsert(session);
          if (outcome) evicted += outcome->evicted.size();
        }
      });
    }
  }
  EXPECT_EQ(this->ids().size(), 4U);
  EXPECT_EQ(evicted, 76U);
}

TYPED_TEST_P(PolicyConformance, ALoginInFlightDoesNotSurviveLogoutEverywhere) {
  this->use({.revocation_mark_lifetime = std::chrono::seconds(60)});
  const auto in_flight = this->make_session("in flight");
  ASSERT_TRUE(this->store->delete_all("user", "full").has_value());
  EXPECT_EQ(this->refusal(in_flight), ErrorCode::revoked);
  EXPECT_TRUE(this->ids().empty());
}

TYPED_TEST_P(PolicyConformance, ALoginInFlightDoesNotSurviveDeleteAllOfItsAndOtherTypes) {
  this->use({.revocation_mark_lifetime = std::chrono::seconds(60)});
  // Made before the delete, as a login in flight is; a second may begin meanwhile.
  const auto in_flight = [made = this->make_session("in flight")](const char* type) {
    auto session = made;
    session.type = type;
    return session;
  };
  ASSERT_TRUE(this->store->delete_all("user", {"full", "pending", "oauth2"}).has_value());
  for (const auto* type : {"full", "pending", "oauth2"}) EXPECT_EQ(this->refusal(in_flight(type)), ErrorCode::revoked);
  this->stored(in_flight("another"));
  auto later = in_flight("pending");
  later.created_at += std::chrono::seconds(2);
  this->stored(later);
}

TYPED_TEST_P(PolicyConformance, ALaterLoginAndOtherTypesAreLetIn) {
  this->use({.revocation_mark_lifetime = std::chrono::seconds(60)});
  ASSERT_TRUE(this->store->delete_all("user", "full").has_value());
  this->stored(this->make_session("other", std::chrono::seconds(3600), "oauth2"));
  auto later = this->make_session("later");
  later.created_at += std::chrono::seconds(2);
  this->stored(later);
}

TYPED_TEST_P(PolicyConformance, ALoginInFlightDoesNotSurviveDeleteOthersWhereThatLeavesAMark) {
  this->use({.revocation_mark_lifetime = std::chrono::seconds(60), .mark_on_delete_others = true});
  auto kept = this->make_session("kept");
  ASSERT_TRUE(this->store->upsert(kept).has_value());
  this->stored(this->make_session("other"));
  const auto in_flight = this->make_session("in flight");
  ASSERT_TRUE(this->store->delete_others(kept.key()).has_value());
  EXPECT_EQ(this->refusal(in_flight), ErrorCode::revoked);
  EXPECT_TRUE(this->store->upsert(kept).has_value()) << "a mark is held against new sessions only";
  EXPECT_EQ(this->ids(), std::vector<std::string>{"kept"});
  auto later = this->make_session("later");
  later.created_at += std::chrono::seconds(2);
  this->stored(later);
}

TYPED_TEST_P(PolicyConformance, ALoginInFlightDoesNotSurviveRotateIdWhereThatLeavesAMark) {
  this->use({.revocation_mark_lifetime = std::chrono::seconds(60), .mark_on_rotate_id = true});
  auto rotated = this->make_session("rotated");
  ASSERT_TRUE(this->store->upsert(rotated).has_value());
  const auto in_flight = this->make_session("in flight");
  auto stale = rotated;
  ++stale.lock_version;
  ASSERT_FALSE(this->store->rotate_id(stale).has_value());
  this->stored(this->make_session("other"));
  ASSERT_TRUE(this->store->rotate_id(rotated).has_value());
  EXPECT_EQ(this->refusal(in_flight), ErrorCode::revoked);
  EXPECT_TRUE(this->store->upsert(rotated).has_value()) << "a mark is held against new sessions only";
  EXPECT_TRUE(this->store->rotate_id(rotated).has_value());
}

TYPED_TEST_P(PolicyConformance, DeleteOthersAndRotateIdLeaveNoMarkUnlessTheyShall) {
  this->use({.revocation_mark_lifetime = std::chrono::seconds(60)});
  auto kept = this->make_session("kept");
  ASSERT_TRUE(this->store->upsert(kept).has_value());
  ASSERT_TRUE(this->store->rotate_id(kept).has_value());
  ASSERT_TRUE(this->store->delete_others(kept.key()).has_value());
  this->stored(this->make_session("other"));
}

TYPED_TEST_P(PolicyConformance, AMarkGoesWithItsLifetime) {
  this->use({.revocation_mark_lifetime = std::chrono::seconds(1)});
  ASSERT_TRUE(this->store->delete_all("user", "full").has_value());
  const auto session = this->make_session("session");
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (auto attempt = session; !this->store->upsert(attempt);) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

REGISTER_TYPED_TEST_SUITE_P(PolicyConformance, ANewSessionEvictsTheOneThatExpiresFirst,
                            ALowerMaximumEvictsAsManyAsItTakes, AFullUserIsRefusedWhereThePolicySaysSo,
                            ExpiredSessionsAndOtherTypesDoNotCount, RefreshesNeedNoRoom,
                            AnIdThatStandsIsAConflictAndEvictsNobody, TheMaximumHoldsForManyLoginsAtOnce,
                            ALoginInFlightDoesNotSurviveLogoutEverywhere,
                            ALoginInFlightDoesNotSurviveDeleteAllOfItsAndOtherTypes, ALaterLoginAndOtherTypesAreLetIn,
                            ALoginInFlightDoesNotSurviveDeleteOthersWhereThatLeavesAMark,
                            ALoginInFlightDoesNotSurviveRotateIdWhereThatLeavesAMark,
                            DeleteOthersAndRotateIdLeaveNoMarkUnlessTheyShall, AMarkGoesWithItsLifetime);

}  // namespace obol::testing
