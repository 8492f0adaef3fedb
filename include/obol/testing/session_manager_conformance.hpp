// A GoogleTest suite for SessionManager and AsyncSessionManager over any store: checks that logins, tokens and logouts
// keep what they promise there, also in races.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "obol/keyring.hpp"
#include "obol/observer.hpp"
#include "obol/session.hpp"
#include "obol/session_id.hpp"
#include "obol/session_limits.hpp"
#include "obol/session_manager.hpp"
#include "obol/session_policy.hpp"
#include "obol/session_token.hpp"
#include "obol/testing/hand_clock.hpp"

/// Used like StoreConformance. The factory's `make_manager(SessionManagerOptions)` returns a pointer to a
/// SessionManager, or to an object with the same functions that waits for the calls of an AsyncSessionManager. All
/// managers of a factory share their sessions, which are fresh and empty. The store has the clock of the manager's
/// options and `policy_of_managers`.
namespace obol::testing {

/// The policy of a store for this suite.
inline constexpr SessionPolicy policy_of_managers{.revocation_mark_lifetime = std::chrono::minutes(1),
                                                  .mark_on_delete_others = true};

/// Counts reused tokens, and keeps the last one.
class ReuseObserver final : public Observer {
 public:
  void on_token_reused(const TokenReusedEvent& event) noexcept override {
    const std::scoped_lock lock(mutex_);
    last_id_hash = std::string(event.id_hash);
    has_ended_session = event.session_ended;
    ++reuses;
  }

  std::atomic<int> reuses = 0;     ///< The events so far.
  std::string last_id_hash{};      ///< Of the last event; read it when no other thread refreshes.
  bool has_ended_session = false;  ///< Of the last event; read it when no other thread refreshes.

 private:
  std::mutex mutex_;
};

/// Owns a manager with the default options.
template <class Factory>
class SessionManagerConformance : public ::testing::Test {
 protected:
  using Seconds = std::chrono::seconds;
  using Minutes = std::chrono::minutes;
  using Hours = std::chrono::hours;
  using Days = std::chrono::days;
  using Tokens = std::optional<LoggedIn>;

  static SigningKey signing_key(char fill = 'k') { return SigningKey::from_bytes(std::string(32, fill)).value(); }

  SessionManagerOptions options() const {
    return {.keyring = Keyring(signing_key()), .observer = observer, .clock = hand.clock()};
  }
  auto managing(const std::function<void(SessionManagerOptions&)>& change) {
    auto changed = options();
    change(changed);
    return factory.make_manager(std::move(changed));
  }
  /// The sessions of this manager have such limits.
  void use(Seconds refresh_lifetime, Seconds absolute_lifetime) {
    manager = managing([&](auto& changed) {
      changed.refresh_lifetime = refresh_lifetime;
      changed.absolute_lifetime = absolute_lifetime;
    });
  }

  std::chrono::sys_seconds now() const { return hand.now(); }

  LoggedIn log_in(std::string payload = "payload") {
    return manager->log_in("user", std::move(payload), now()).value();
  }
  Tokens refresh(const LoggedIn& login, const PayloadChange& change = {}) {
    return manager->refresh(login.tokens.refresh, change).value();
  }
  bool is_in(const LoggedIn& login) { return manager->authenticate(login.tokens.access).value().has_value(); }
  /// What is stored of the only session.
  std::vector<Session> stored() { return manager->list("user").value(); }

  /// So many threads do the same at once.
  template <class Act>
  static void at_once(std::size_t threads, const Act& act) {
    std::latch start(static_cast<std::ptrdiff_t>(threads));
    std::vector<std::jthread> actors;
    for (std::size_t actor = 0; actor < threads; ++actor) {
      actors.emplace_back([&, actor] {
        start.arrive_and_wait();
        act(actor);
      });
    }
  }

  static constexpr std::size_t threads_in_race = 64;

  std::vector<LoggedIn> refresh_at_once(const std::string& token) {
    std::vector<Result<Tokens>> outcomes(threads_in_race);
    at_once(threads_in_race, [&](std::size_t actor) { outcomes[actor] = manager->refresh(token, {}); });
    std::vector<LoggedIn> logged_in;
    for (auto& outcome : outcomes) {
      EXPECT_TRUE(outcome.has_value()) << outcome.error().message;
      if (outcome && *outcome) logged_in.push_back(std::move(**outcome));
    }
    return logged_in;
  }

  Factory factory;
  const HandClock hand;
  const std::shared_ptr<ReuseObserver> observer = std::make_shared<ReuseObserver>();
  decltype(std::declval<Factory&>().make_manager(SessionManagerOptions())) manager = factory.make_manager(options());
};
TYPED_TEST_SUITE_P(SessionManagerConformance);

TYPED_TEST_P(SessionManagerConformance, LogsInWithANewSession) {
  const auto login = this->log_in("data");
  EXPECT_EQ(login.session.user_id, "user");
  EXPECT_EQ(login.session.type, "full");
  EXPECT_EQ(login.session.extra_payload, "data");
  EXPECT_EQ(login.session.created_at, this->now());
  EXPECT_EQ(login.session.refresh_expires_at, this->now() + std::chrono::days(14));
  EXPECT_EQ(login.session.expires_at, this->now() + std::chrono::days(90));
  EXPECT_EQ(login.tokens.access_expires_at, this->now() + std::chrono::minutes(5));
  EXPECT_EQ(login.tokens.refresh_expires_at, this->now() + std::chrono::days(14));
  EXPECT_EQ(this->stored(), std::vector{login.session});
  EXPECT_NE(this->log_in().session.id, login.session.id);
}

TYPED_TEST_P(SessionManagerConformance, LogsNobodyInWithCredentialsThatWereReadBeforeAChange) {
  const auto login = this->log_in();
  const auto read_at = this->now();
  this->hand.pass(std::chrono::seconds(2));
  ASSERT_TRUE(this->manager->secure(login.session, {}).value());
  EXPECT_EQ(this->manager->log_in("user", "", read_at).error().code, ErrorCode::revoked);
  // A time in the future does not help.
  EXPECT_EQ(this->manager->log_in("user", "", this->now() + std::chrono::hours(1)).error().code, ErrorCode::revoked);
  this->hand.pass(std::chrono::seconds(1));
  EXPECT_TRUE(this->manager->log_in("user", "", this->now()).has_value());
}

TYPED_TEST_P(SessionManagerConformance, StoresNothingThatIsOutsideItsLimits) {
  const std::string too_long(default_max_payload_bytes + 1, 'x');
  EXPECT_EQ(this->manager->log_in("user", too_long, this->now()).error().code, ErrorCode::too_large);
  EXPECT_EQ(this->manager->log_in("", "", this->now()).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(this->manager->log_in(std::string(257, 'u'), "", this->now()).error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(this->stored().empty());
  const auto login = this->log_in();
  const auto grown = this->manager->refresh(login.tokens.refresh, [&](std::string& payload) { payload = too_long; });
  EXPECT_EQ(grown.error().code, ErrorCode::too_large);
  EXPECT_EQ(this->stored(), std::vector{login.session});
}

TYPED_TEST_P(SessionManagerConformance, AuthenticatesWithTheStoreOrByTheTokenAlone) {
  const auto login = this->log_in();
  const auto checked = this->manager->authenticate(login.tokens.access).value();
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->session_key, login.session.key());
  EXPECT_EQ(checked->session, login.session);
  EXPECT_EQ(checked->expires_at, login.tokens.access_expires_at);
  const auto unchecked = this->manager->authenticate(login.tokens.access, AccessCheck::token).value();
  ASSERT_TRUE(unchecked);
  EXPECT_EQ(unchecked->session_key, login.session.key());
  EXPECT_EQ(unchecked->session, std::nullopt);

  ASSERT_TRUE(this->manager->log_out(login.session.key()).has_value());
  EXPECT_FALSE(this->is_in(login));
  EXPECT_TRUE(this->manager->authenticate(login.tokens.access, AccessCheck::token).value());
  const auto by_token = this->managing([](auto& changed) { changed.access_check = AccessCheck::token; });
  EXPECT_TRUE(by_token->authenticate(login.tokens.access).value());
}

TYPED_TEST_P(SessionManagerConformance, TakesNoAccessTokenFromTheSecondItExpires) {
  const auto login = this->log_in();
  this->hand.pass(std::chrono::minutes(5) - std::chrono::seconds(1));
  EXPECT_TRUE(this->is_in(login));
  EXPECT_TRUE(this->manager->authenticate(login.tokens.access, AccessCheck::token).value());
  this->hand.pass(std::chrono::seconds(1));
  EXPECT_FALSE(this->is_in(login));
  EXPECT_FALSE(this->manager->authenticate(login.tokens.access, AccessCheck::token).value());
}

TYPED_TEST_P(SessionManagerConformance, RefusesTokensThatAreNotItsOwn) {
  const auto login = this->log_in();
  const auto keyring = Keyring(this->signing_key('n'));
  const auto foreign =
      this->managing([&](auto& changed) { changed.keyring = keyring; })->log_in("user", "", this->now()).value();
  const auto other_type =
      this->managing([](auto& changed) { changed.session_type = "web"; })->log_in("user", "", this->now()).value();
  const auto session_token = issue_token(login.session.key(), Keyring(this->signing_key())).value();
  for (const auto& token : {login.tokens.refresh, foreign.tokens.access, other_type.tokens.access, std::string(),
                            std::string("x"), std::string(1'000'000, 'A'), session_token}) {
    EXPECT_FALSE(this->manager->authenticate(token).value());
    EXPECT_FALSE(this->manager->authenticate(token, AccessCheck::token).value());
  }
  for (const auto& token : {login.tokens.access, foreign.tokens.refresh, other_type.tokens.refresh, std::string(),
                            std::string("\0\xFF", 2), std::string(1'000'000, 'A')}) {
    EXPECT_FALSE(this->manager->refresh(token, {}).value());
  }
}

TYPED_TEST_P(SessionManagerConformance, KeepsTokensOfAnOlderKeyThatStillVerifies) {
  const auto login = this->log_in();
  const auto newer = this->managing([&](auto& changed) {
    changed.keyring = Keyring(this->signing_key('n')).with_verifying_key(this->signing_key()).value();
  });
  EXPECT_TRUE(newer->authenticate(login.tokens.access, AccessCheck::token).value());
  const auto refreshed = newer->refresh(login.tokens.refresh, {}).value();
  ASSERT_TRUE(refreshed);
  EXPECT_FALSE(this->manager->refresh(refreshed->tokens.refresh, {}).value());
}

TYPED_TEST_P(SessionManagerConformance, AReplacedKeyringSignsAndVerifiesOlderTokensWhileItHasTheirKey) {
  const auto login = this->log_in();
  const auto both_keys = Keyring(this->signing_key('n')).with_verifying_key(this->signing_key()).value();
  ASSERT_TRUE(this->manager->replace_keyring(both_keys).has_value());
  EXPECT_TRUE(this->manager->authenticate(login.tokens.access, AccessCheck::token).value());
  const auto later = this->refresh(login);
  ASSERT_TRUE(later);
  ASSERT_TRUE(this->manager->replace_keyring(Keyring(this->signing_key('n'))).has_value());
  EXPECT_TRUE(this->is_in(*later));
  EXPECT_FALSE(this->is_in(login));
  EXPECT_TRUE(this->manager->options().keyring.empty());
}

TYPED_TEST_P(SessionManagerConformance, AKeyringIsKeptIfTheNewOneIsRefused) {
  const auto login = this->log_in();
  const auto same_id = SigningKey::from_bytes(std::string(32, 'o'), this->signing_key().id()).value();
  EXPECT_EQ(this->manager->replace_keyring(Keyring()).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(this->manager->replace_keyring(Keyring(same_id)).error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(this->is_in(login));
  EXPECT_TRUE(this->is_in(this->log_in()));
}

TYPED_TEST_P(SessionManagerConformance, ARefreshBeginsAGeneration) {
  const auto login = this->log_in();
  this->hand.pass(std::chrono::minutes(5));
  const auto refreshed = this->refresh(login);
  ASSERT_TRUE(refreshed);
  EXPECT_EQ(refreshed->session.id, login.session.id);
  EXPECT_EQ(refreshed->session.lock_version, 2U);
  EXPECT_EQ(refreshed->session.refreshed_at, this->now());
  EXPECT_EQ(refreshed->session.refresh_expires_at, this->now() + std::chrono::days(14));
  EXPECT_TRUE(this->is_in(*refreshed));
  EXPECT_EQ(this->stored(), std::vector{refreshed->session});
}

TYPED_TEST_P(SessionManagerConformance, ARefreshWithinTheOverlapJoinsTheGeneration) {
  const auto login = this->log_in();
  this->hand.pass(std::chrono::minutes(5));
  const auto first = this->refresh(login);
  this->hand.pass(std::chrono::seconds(10));
  const auto second = this->refresh(login);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->session, first->session);
  EXPECT_NE(second->tokens.refresh, first->tokens.refresh);
  // Tokens of both answers go on.
  this->hand.pass(std::chrono::minutes(5));
  EXPECT_TRUE(this->refresh(*first));
  EXPECT_TRUE(this->refresh(*second));
  EXPECT_EQ(this->observer->reuses, 0);
}

TYPED_TEST_P(SessionManagerConformance, AReusedTokenEndsTheSession) {
  const auto login = this->log_in();
  this->hand.pass(std::chrono::minutes(5));
  const auto owner = this->refresh(login);
  this->hand.pass(std::chrono::seconds(11));
  EXPECT_FALSE(this->refresh(login));
  EXPECT_FALSE(this->is_in(*owner));
  EXPECT_FALSE(this->refresh(*owner));
  EXPECT_EQ(this->observer->reuses, 1);
  EXPECT_TRUE(this->observer->has_ended_session);
  EXPECT_EQ(this->observer->last_id_hash, session_id_hash(login.session.id));
}

TYPED_TEST_P(SessionManagerConformance, AReusedTokenEndsTheSessionIfTheThiefWasFirst) {
  const auto stolen = this->log_in();
  this->hand.pass(std::chrono::minutes(5));
  const auto thief = this->refresh(stolen);
  this->hand.pass(std::chrono::minutes(5));
  const auto thief_again = this->refresh(*thief);
  EXPECT_FALSE(this->refresh(stolen)) << "the owner";
  EXPECT_FALSE(this->is_in(*thief_again));
  EXPECT_FALSE(this->refresh(*thief_again));
  EXPECT_EQ(this->observer->reuses, 1);
}

TYPED_TEST_P(SessionManagerConformance, AReusedTokenIsOnlyRefusedIfThatIsWanted) {
  this->manager = this->managing([](auto& changed) { changed.on_reuse = ReuseResponse::refuse_token; });
  const auto login = this->log_in();
  this->hand.pass(std::chrono::minutes(5));
  const auto owner = this->refresh(login);
  this->hand.pass(std::chrono::seconds(11));
  EXPECT_FALSE(this->refresh(login));
  EXPECT_TRUE(this->is_in(*owner));
  EXPECT_TRUE(this->refresh(*owner));
  EXPECT_EQ(this->observer->reuses, 1);
  EXPECT_FALSE(this->observer->has_ended_session);
}

TYPED_TEST_P(SessionManagerConformance, AnExpiredRefreshTokenIsNoReuse) {
  this->use(std::chrono::minutes(10), std::chrono::days(1));
  const auto login = this->log_in();
  this->hand.pass(std::chrono::minutes(5));
  const auto second = this->refresh(login);
  this->hand.pass(std::chrono::minutes(5));
  EXPECT_FALSE(this->refresh(login));
  EXPECT_TRUE(this->is_in(this->refresh(*second).value()));
  EXPECT_EQ(this->observer->reuses, 0);
}

TYPED_TEST_P(SessionManagerConformance, NoTokenOutlivesItsSession) {
  this->use(std::chrono::hours(1), std::chrono::hours(1));
  const auto login = this->log_in();
  const auto end = this->now() + std::chrono::hours(1);
  this->hand.pass(std::chrono::hours(1) - std::chrono::minutes(2));
  const auto late = this->refresh(login);
  ASSERT_TRUE(late);
  EXPECT_EQ(late->tokens.access_expires_at, end);
  EXPECT_EQ(late->tokens.refresh_expires_at, end);
  EXPECT_EQ(late->session.refresh_expires_at, end);
  EXPECT_EQ(late->session.expires_at, end);
  this->hand.pass(std::chrono::minutes(2));
  EXPECT_FALSE(this->refresh(*late));
}

TYPED_TEST_P(SessionManagerConformance, NobodyIsLoggedOutIfTheClockIsSetBack) {
  auto login = this->log_in();
  this->hand.pass(std::chrono::hours(1));
  login = this->refresh(login).value();
  this->hand.pass(-std::chrono::hours(2));
  for (int i = 0; i < 5; ++i) {
    const auto next = this->refresh(login);
    ASSERT_TRUE(next);
    EXPECT_TRUE(this->is_in(*next));
    login = *next;
    this->hand.pass(std::chrono::minutes(5));
  }
  this->hand.pass(std::chrono::hours(3));
  EXPECT_TRUE(this->refresh(login));
  EXPECT_EQ(this->observer->reuses, 0);
}

TYPED_TEST_P(SessionManagerConformance, SecureEndsTheOthersAndGivesANewId) {
  const auto other = this->log_in();
  const auto login = this->log_in("a");
  this->hand.pass(std::chrono::seconds(1));
  const auto secured = this->manager->secure(login.session, [](std::string& payload) { payload += 'b'; }).value();
  ASSERT_TRUE(secured);
  EXPECT_NE(secured->session.id, login.session.id);
  EXPECT_EQ(secured->session.extra_payload, "ab");
  EXPECT_EQ(secured->session.created_at, login.session.created_at);
  EXPECT_EQ(secured->session.expires_at, login.session.expires_at);
  EXPECT_EQ(secured->session.tokens_fresh_from, this->now());
  EXPECT_EQ(secured->session.prev_tokens_fresh_from, this->now());
  EXPECT_TRUE(this->is_in(*secured));
  EXPECT_FALSE(this->is_in(login));
  EXPECT_FALSE(this->is_in(other));
  EXPECT_FALSE(this->refresh(login));
  EXPECT_FALSE(this->refresh(other));
  EXPECT_TRUE(this->refresh(*secured));
  EXPECT_EQ(this->stored().size(), 1U);
}

TYPED_TEST_P(SessionManagerConformance, TouchExtendsASessionOnceInAnInterval) {
  const auto login = this->log_in();
  this->hand.pass(std::chrono::minutes(1) - std::chrono::seconds(1));
  EXPECT_EQ(this->manager->touch(login.session).value(), login.session);
  EXPECT_EQ(this->stored(), std::vector{login.session});
  this->hand.pass(std::chrono::seconds(1));
  const auto touched = this->manager->touch(login.session).value();
  ASSERT_TRUE(touched);
  EXPECT_EQ(touched->refreshed_at, this->now());
  EXPECT_EQ(touched->refresh_expires_at, this->now() + std::chrono::days(14));
  EXPECT_EQ(touched->tokens_fresh_from, login.session.tokens_fresh_from);
  // Another request read the session before: it answers with what is stored, and does not write again.
  EXPECT_EQ(this->manager->touch(login.session).value(), touched);
  EXPECT_EQ(this->stored(), std::vector{*touched});
  EXPECT_EQ(touched->lock_version, 2U);
}

TYPED_TEST_P(SessionManagerConformance, TouchExtendsNoSessionBeyondItsAbsoluteEnd) {
  this->use(std::chrono::hours(1), std::chrono::hours(1));
  const auto login = this->log_in();
  this->hand.pass(std::chrono::minutes(59));
  EXPECT_EQ(this->manager->touch(login.session).value()->refresh_expires_at, login.session.expires_at);
  this->hand.pass(std::chrono::minutes(1));
  EXPECT_FALSE(this->manager->touch(login.session).value());
}

TYPED_TEST_P(SessionManagerConformance, ListsTheMostRecentlyUsedFirst) {
  const auto first = this->log_in();
  this->hand.pass(std::chrono::seconds(1));
  const auto second = this->log_in();
  this->hand.pass(std::chrono::minutes(1));
  ASSERT_TRUE(this->refresh(first));
  this->hand.pass(std::chrono::seconds(1));
  const auto third = this->log_in();
  std::vector<std::string> ids;
  for (const auto& session : this->stored()) ids.push_back(session.id);
  EXPECT_EQ(ids, (std::vector{third.session.id, first.session.id, second.session.id}));
  EXPECT_TRUE(this->manager->list("another user")->empty());
}

TYPED_TEST_P(SessionManagerConformance, LogsOutOneSessionTheOthersOrAll) {
  const auto first = this->log_in();
  const auto second = this->log_in();
  const auto third = this->log_in();
  ASSERT_TRUE(this->manager->log_out(second.session.key()).has_value());
  EXPECT_FALSE(this->is_in(second));
  EXPECT_FALSE(this->refresh(second));
  EXPECT_TRUE(this->is_in(third));
  ASSERT_TRUE(this->manager->log_out_others(third.session.key()).has_value());
  EXPECT_FALSE(this->is_in(first));
  EXPECT_TRUE(this->is_in(third));
  ASSERT_TRUE(this->manager->log_out_everywhere("user").has_value());
  EXPECT_FALSE(this->is_in(third));
  EXPECT_FALSE(this->refresh(third));
  EXPECT_FALSE(this->manager->secure(third.session, {}).value());
  this->hand.pass(std::chrono::minutes(2));
  EXPECT_FALSE(this->manager->touch(third.session).value());
  EXPECT_TRUE(this->stored().empty());
}

TYPED_TEST_P(SessionManagerConformance, OfManyRefreshesAtOnceOneBeginsAGeneration) {
  const auto login = this->log_in();
  this->hand.pass(std::chrono::minutes(2));
  auto token = login.tokens.refresh;
  for (std::uint64_t version = 2; version < 5; ++version) {
    const auto logins = this->refresh_at_once(token);
    ASSERT_EQ(logins.size(), this->threads_in_race) << "all go on";
    std::set<std::string> tokens;
    for (const auto& each : logins) {
      EXPECT_EQ(each.session, logins.front().session) << "all of one generation";
      tokens.insert(each.tokens.refresh);
    }
    EXPECT_EQ(logins.front().session.lock_version, version) << "one write wins";
    EXPECT_EQ(tokens.size(), this->threads_in_race);
    this->hand.pass(std::chrono::minutes(2));
    token = logins.back().tokens.refresh;
  }
  EXPECT_EQ(this->observer->reuses, 0);

  // A stolen token, after its owner's.
  EXPECT_FALSE(this->manager->refresh(login.tokens.refresh, {}).value());
  EXPECT_FALSE(this->manager->refresh(token, {}).value());
  EXPECT_EQ(this->observer->reuses, 1);
  EXPECT_TRUE(this->stored().empty());
}

TYPED_TEST_P(SessionManagerConformance, OfARaceWithAStolenTokenNobodyGoesOn) {
  const auto stolen = this->log_in();
  this->hand.pass(std::chrono::minutes(5));
  const auto owner = this->refresh(stolen).value();
  this->hand.pass(std::chrono::minutes(5));
  // The owner may be first; what it gets then is worth nothing afterwards.
  std::vector<typename TestFixture::Tokens> outcomes(8);
  this->at_once(outcomes.size(),
                [&](std::size_t actor) { outcomes[actor] = this->refresh(actor % 2 == 0 ? stolen : owner); });
  for (std::size_t actor = 0; actor < outcomes.size(); ++actor) {
    if (actor % 2 == 0) {
      EXPECT_FALSE(outcomes[actor]) << "the thief has tokens";
    } else if (outcomes[actor]) {
      EXPECT_FALSE(this->is_in(*outcomes[actor]));
      EXPECT_FALSE(this->refresh(*outcomes[actor]));
    }
  }
  EXPECT_TRUE(this->stored().empty());
  EXPECT_GE(this->observer->reuses, 1);
}

TYPED_TEST_P(SessionManagerConformance, NoChangeOfThePayloadIsLostInARace) {
  const auto login = this->log_in("");
  constexpr std::size_t writers = 8;
  const auto second = this->managing([](auto&) {});
  this->at_once(writers, [&](std::size_t actor) {
    const auto& any = actor % 2 == 0 ? this->manager : second;
    const auto changed = any->refresh(login.tokens.refresh, [](std::string& payload) { payload += 'x'; });
    EXPECT_TRUE(changed.has_value() && changed->has_value());
  });
  ASSERT_EQ(this->stored().size(), 1U);
  EXPECT_EQ(this->stored().front().extra_payload, std::string(writers, 'x'));
}

REGISTER_TYPED_TEST_SUITE_P(
    SessionManagerConformance, LogsInWithANewSession, LogsNobodyInWithCredentialsThatWereReadBeforeAChange,
    StoresNothingThatIsOutsideItsLimits, AuthenticatesWithTheStoreOrByTheTokenAlone,
    TakesNoAccessTokenFromTheSecondItExpires, RefusesTokensThatAreNotItsOwn, KeepsTokensOfAnOlderKeyThatStillVerifies,
    AReplacedKeyringSignsAndVerifiesOlderTokensWhileItHasTheirKey, AKeyringIsKeptIfTheNewOneIsRefused,
    ARefreshBeginsAGeneration, ARefreshWithinTheOverlapJoinsTheGeneration, AReusedTokenEndsTheSession,
    AReusedTokenEndsTheSessionIfTheThiefWasFirst, AReusedTokenIsOnlyRefusedIfThatIsWanted,
    AnExpiredRefreshTokenIsNoReuse, NoTokenOutlivesItsSession, NobodyIsLoggedOutIfTheClockIsSetBack,
    SecureEndsTheOthersAndGivesANewId, TouchExtendsASessionOnceInAnInterval, TouchExtendsNoSessionBeyondItsAbsoluteEnd,
    ListsTheMostRecentlyUsedFirst, LogsOutOneSessionTheOthersOrAll, OfManyRefreshesAtOnceOneBeginsAGeneration,
    OfARaceWithAStolenTokenNobodyGoesOn, NoChangeOfThePayloadIsLostInARace);

}  // namespace obol::testing
