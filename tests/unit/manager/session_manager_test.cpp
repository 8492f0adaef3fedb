// SessionManager over MemoryStore, with a clock in the test's hand.
#include "obol/session_manager.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>

#include "obol/memory_store.hpp"
#include "obol/session_id.hpp"
#include "obol/session_limits.hpp"
#include "obol/session_token.hpp"
#include "support/recording_observer.hpp"
#include "support/refresh_race.hpp"
#include "support/sessions.hpp"

namespace obol::testing { namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_seconds;

/// Counts calls, fails them if told to, and does something just before a write if told to.
class ScriptedStore final : public SessionStore {
 public:
  explicit ScriptedStore(MemoryStoreOptions options) : store_(std::move(options)) {}

  Result<std::optional<Session>> get(const SessionKey& key) override {
    ++reads;
    if (is_down) return down();
    return store_.get(key);
  }
  std::expected<Upserted, UpsertError> upsert(Session& session) override {
    if (auto error = before_write()) return std::unexpected(std::move(*error));
    return store_.upsert(session);
  }
  std::expected<void, UpsertError> rotate_id(Session& session) override {
    if (auto error = before_write()) return std::unexpected(std::move(*error));
    return store_.rotate_id(session);
  }
  Result<Deleted> delete_one(const SessionKey& key) override {
    ++deletes;
    if (is_down || deletes_fail) return down();
    return store_.delete_one(key);
  }
  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override {
    if (is_down) return down();
    return store_.get_all(user_id, type);
  }
  Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override {
    if (is_down) return down();
    return store_.delete_all(user_id, type);
  }
  Result<Deleted> delete_others(const SessionKey& keep) override {
    ++deletes;
    if (is_down) return down();
    return store_.delete_others(keep);
  }

  int calls() const { return reads + writes + deletes; }

  int reads = 0;
  int writes = 0;
  int deletes = 0;
  bool is_down = false;
  bool deletes_fail = false;
  std::function<void(SessionStore&)> just_before_a_write;

 private:
  static std::unexpected<Error> down() { return std::unexpected(Error{ErrorCode::unavailable, "no server"}); }

  std::optional<UpsertError> before_write() {
    ++writes;
    if (is_down) return UpsertError{{ErrorCode::unavailable, "no server"}};
    // A copy, since it may replace itself.
    if (const auto action = just_before_a_write) action(store_);
    return std::nullopt;
  }

  MemoryStore store_;
};

class SessionManagerTest : public ::testing::Test {
 protected:
  SessionManagerOptions options() const {
    return {.keyring = Keyring(signing_key()), .observer = observer, .clock = clock()};
  }
  Clock clock() const {
    return [time = time] { return std::chrono::system_clock::time_point(*time); };
  }
  SessionManager managing(SessionManagerOptions options) const {
    return SessionManager::create(store, std::move(options)).value();
  }
  void pass(seconds duration) const { *time += duration; }
  sys_seconds now() const { return *time; }

  LoggedIn log_in(std::string payload = "payload") { return manager.log_in("user", std::move(payload), now()).value(); }
  std::optional<LoggedIn> refresh(const LoggedIn& login, const PayloadChange& change = {}) {
    return manager.refresh(login.tokens.refresh, change).value();
  }
  bool is_in(const LoggedIn& login) { return manager.authenticate(login.tokens.access).value().has_value(); }
  std::size_t reuses() const { return observer->count("token_reused"); }

  const std::shared_ptr<sys_seconds> time = std::make_shared<sys_seconds>(now_in_seconds());
  const std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();
  const std::shared_ptr<ScriptedStore> store = std::make_shared<ScriptedStore>(MemoryStoreOptions{
      .policy = {.revocation_mark_lifetime = minutes(1), .mark_on_delete_others = true}, .clock = clock()});
  SessionManager manager = managing(options());
};

TEST_F(SessionManagerTest, LogsInWithANewSession) {
  const auto login = log_in("data");
  EXPECT_EQ(login.session.user_id, "user");
  EXPECT_EQ(login.session.type, "full");
  EXPECT_EQ(login.session.extra_payload, "data");
  EXPECT_EQ(login.session.created_at, now());
  EXPECT_EQ(login.session.refresh_expires_at, now() + days(14));
  EXPECT_EQ(login.session.expires_at, now() + days(90));
  EXPECT_EQ(login.tokens.access_expires_at, now() + minutes(5));
  EXPECT_EQ(login.tokens.refresh_expires_at, now() + days(14));
  EXPECT_EQ(store->get(login.session.key()).value(), login.session);
  EXPECT_NE(log_in().session.id, login.session.id);
}

TEST_F(SessionManagerTest, LogsNobodyInWithCredentialsThatWereReadBeforeAChange) {
  const auto login = log_in();
  const auto read_at = now();
  pass(seconds(2));
  ASSERT_TRUE(manager.secure(login.session).value());
  EXPECT_EQ(manager.log_in("user", "", read_at).error().code, ErrorCode::revoked);
  // A time in the future does not help.
  EXPECT_EQ(manager.log_in("user", "", now() + hours(1)).error().code, ErrorCode::revoked);
  pass(seconds(1));
  EXPECT_TRUE(manager.log_in("user", "", now()).has_value());
}

TEST_F(SessionManagerTest, StoresNothingThatIsOutsideItsLimits) {
  EXPECT_EQ(manager.log_in("user", std::string(default_max_payload_bytes + 1, 'x'), now()).error().code,
            ErrorCode::too_large);
  EXPECT_EQ(manager.log_in("", "", now()).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(manager.log_in(std::string(257, 'u'), "", now()).error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(manager.list("user")->empty());
  const auto login = log_in();
  const auto grown = manager.refresh(login.tokens.refresh,
                                     [](std::string& payload) { payload.assign(default_max_payload_bytes + 1, 'x'); });
  EXPECT_EQ(grown.error().code, ErrorCode::too_large);
  EXPECT_EQ(store->get(login.session.key()).value(), login.session);
}

TEST_F(SessionManagerTest, AuthenticatesWithTheStoreOrByTheTokenAlone) {
  const auto login = log_in();
  const auto checked = manager.authenticate(login.tokens.access).value();
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->session_key, login.session.key());
  EXPECT_EQ(checked->session, login.session);
  EXPECT_EQ(checked->expires_at, login.tokens.access_expires_at);
  const auto calls = store->calls();
  const auto unchecked = manager.authenticate(login.tokens.access, AccessCheck::token).value();
  ASSERT_TRUE(unchecked);
  EXPECT_EQ(unchecked->session_key, login.session.key());
  EXPECT_EQ(unchecked->session, std::nullopt);
  EXPECT_EQ(store->calls(), calls);

  ASSERT_TRUE(manager.log_out(login.session.key()).has_value());
  EXPECT_FALSE(is_in(login));
  EXPECT_TRUE(manager.authenticate(login.tokens.access, AccessCheck::token).value());
  auto by_token = options();
  by_token.access_check = AccessCheck::token;
  EXPECT_TRUE(managing(by_token).authenticate(login.tokens.access).value());
}

TEST_F(SessionManagerTest, TakesNoAccessTokenFromTheSecondItExpires) {
  const auto login = log_in();
  pass(minutes(5) - seconds(1));
  EXPECT_TRUE(is_in(login));
  EXPECT_TRUE(manager.authenticate(login.tokens.access, AccessCheck::token).value());
  pass(seconds(1));
  EXPECT_FALSE(is_in(login));
  EXPECT_FALSE(manager.authenticate(login.tokens.access, AccessCheck::token).value());
}

TEST_F(SessionManagerTest, AsksTheStoreNothingForTokensThatAreNotItsOwn) {
  const auto login = log_in();
  auto of_another_key = options();
  of_another_key.keyring = Keyring(signing_key('n'));
  auto of_another_type = options();
  of_another_type.session_type = "web";
  const auto foreign = managing(of_another_key).log_in("user", "", now()).value();
  const auto other_type = managing(of_another_type).log_in("user", "", now()).value();
  const auto calls = store->calls();
  for (const auto& token :
       {login.tokens.refresh, foreign.tokens.access, other_type.tokens.access, std::string(), std::string("x"),
        std::string(1'000'000, 'A'), issue_token(login.session.key(), Keyring(signing_key())).value()}) {
    EXPECT_FALSE(manager.authenticate(token).value());
    EXPECT_FALSE(manager.authenticate(token, AccessCheck::token).value());
  }
  for (const auto& token : {login.tokens.access, foreign.tokens.refresh, other_type.tokens.refresh, std::string(),
                            std::string("\0\xFF", 2), std::string(1'000'000, 'A')}) {
    EXPECT_FALSE(manager.refresh(token).value());
  }
  EXPECT_EQ(store->calls(), calls);
}

TEST_F(SessionManagerTest, KeepsTokensOfAnOlderKeyThatStillVerifies) {
  const auto login = log_in();
  auto rotated = options();
  rotated.keyring = Keyring(signing_key('n')).with_verifying_key(signing_key()).value();
  auto newer = managing(rotated);
  EXPECT_TRUE(newer.authenticate(login.tokens.access).value());
  const auto refreshed = newer.refresh(login.tokens.refresh).value();
  ASSERT_TRUE(refreshed);
  EXPECT_FALSE(manager.refresh(refreshed->tokens.refresh).value());
}

TEST_F(SessionManagerTest, RefreshesWithOneReadAndOneWrite) {
  const auto login = log_in();
  pass(minutes(5));
  const auto [reads, writes] = std::pair(store->reads, store->writes);
  const auto refreshed = refresh(login);
  ASSERT_TRUE(refreshed);
  EXPECT_EQ(store->reads, reads + 1);
  EXPECT_EQ(store->writes, writes + 1);
  EXPECT_EQ(refreshed->session.lock_version, 2U);
  EXPECT_EQ(refreshed->session.refreshed_at, now());
  EXPECT_EQ(refreshed->session.refresh_expires_at, now() + days(14));
  EXPECT_TRUE(is_in(*refreshed));
  EXPECT_EQ(store->get(login.session.key()).value(), refreshed->session);
}

TEST_F(SessionManagerTest, RefreshesWithinTheOverlapWithoutAWrite) {
  const auto login = log_in();
  pass(minutes(5));
  const auto first = refresh(login);
  pass(seconds(10));
  const auto writes = store->writes;
  const auto second = refresh(login);
  ASSERT_TRUE(second);
  EXPECT_EQ(store->writes, writes);
  EXPECT_EQ(second->session, first->session);
  EXPECT_NE(second->tokens.refresh, first->tokens.refresh);
  // Tokens of both answers go on.
  pass(minutes(5));
  EXPECT_TRUE(refresh(*first));
  EXPECT_TRUE(refresh(*second));
  EXPECT_EQ(reuses(), 0U);
}

TEST_F(SessionManagerTest, EndsTheSessionIfATokenIsReused) {
  const auto login = log_in();
  pass(minutes(5));
  const auto owner = refresh(login);
  pass(seconds(11));
  EXPECT_FALSE(refresh(login));
  EXPECT_FALSE(is_in(*owner));
  EXPECT_FALSE(refresh(*owner));
  EXPECT_EQ(observer->lines(), std::vector{"token_reused user " + session_id_hash(login.session.id) + " full ended"});
}

TEST_F(SessionManagerTest, EndsTheSessionIfTheThiefWasFirst) {
  const auto stolen = log_in();
  pass(minutes(5));
  const auto thief = refresh(stolen);
  pass(minutes(5));
  const auto thief_again = refresh(*thief);
  EXPECT_FALSE(refresh(stolen)) << "the owner";
  EXPECT_FALSE(is_in(*thief_again));
  EXPECT_FALSE(refresh(*thief_again));
  EXPECT_EQ(reuses(), 1U);
}

TEST_F(SessionManagerTest, RefusesAReusedTokenOnlyIfThatIsWanted) {
  auto refusing = options();
  refusing.on_reuse = ReuseResponse::refuse_token;
  manager = managing(refusing);
  const auto login = log_in();
  pass(minutes(5));
  const auto owner = refresh(login);
  pass(seconds(11));
  EXPECT_FALSE(refresh(login));
  EXPECT_TRUE(is_in(*owner));
  EXPECT_TRUE(refresh(*owner));
  EXPECT_EQ(observer->lines(), std::vector{"token_reused user " + session_id_hash(login.session.id) + " full lives"});
}

TEST_F(SessionManagerTest, SaysSoIfASessionCannotBeEndedNow) {
  const auto login = log_in();
  pass(minutes(5));
  const auto owner = refresh(login);
  pass(seconds(11));
  store->deletes_fail = true;
  EXPECT_EQ(manager.refresh(login.tokens.refresh).error().code, ErrorCode::unavailable);
  EXPECT_TRUE(observer->holds("lives"));
  store->deletes_fail = false;
  EXPECT_FALSE(refresh(login));
  EXPECT_FALSE(is_in(*owner));
}

TEST_F(SessionManagerTest, TakesNoExpiredRefreshTokenForAReusedOne) {
  auto short_lived = options();
  short_lived.refresh_lifetime = minutes(10);
  manager = managing(short_lived);
  const auto login = log_in();
  pass(minutes(5));
  const auto second = refresh(login);
  pass(minutes(5));
  EXPECT_FALSE(refresh(login));
  EXPECT_TRUE(is_in(refresh(*second).value()));
  EXPECT_EQ(reuses(), 0U);
}

// The loser answers with the winner's session, and asks the store nothing more.
TEST_F(SessionManagerTest, AnswersWithTheWinnerOfARace) {
  const auto login = log_in();
  pass(minutes(5));
  auto winner = managing(options());
  std::optional<LoggedIn> won;
  store->just_before_a_write = [&](SessionStore&) {
    store->just_before_a_write = nullptr;
    won = winner.refresh(login.tokens.refresh).value();
  };
  const auto [reads, writes] = std::pair(store->reads, store->writes);
  const auto lost = refresh(login);
  ASSERT_TRUE(lost && won);
  EXPECT_EQ(lost->session, won->session);
  EXPECT_EQ(store->reads, reads + 2);
  EXPECT_EQ(store->writes, writes + 2);
  pass(minutes(5));
  EXPECT_TRUE(refresh(*lost));
  EXPECT_TRUE(refresh(*won));
}

TEST_F(SessionManagerTest, LogsNobodyInWhoLoggedOutMeanwhile) {
  const auto login = log_in();
  pass(minutes(5));
  store->just_before_a_write = [&](SessionStore& inner) { ASSERT_TRUE(inner.delete_one(login.session.key())); };
  EXPECT_FALSE(refresh(login));
  EXPECT_FALSE(manager.touch(login.session).value());
  EXPECT_FALSE(manager.secure(login.session).value());
  EXPECT_TRUE(manager.list("user")->empty());
}

TEST_F(SessionManagerTest, LosesNoChangeOfThePayload) {
  const auto login = log_in("a");
  const auto add_b = [](std::string& payload) { payload += 'b'; };
  EXPECT_EQ(refresh(login, add_b)->session.extra_payload, "ab");
  pass(minutes(5));
  store->just_before_a_write = [&](SessionStore& inner) {
    store->just_before_a_write = nullptr;
    auto session = inner.get(login.session.key()).value().value();
    session.extra_payload += 'c';
    ASSERT_TRUE(inner.upsert(session).has_value());
  };
  EXPECT_EQ(refresh(login, add_b)->session.extra_payload, "abcb");
}

TEST_F(SessionManagerTest, GivesUpIfOthersAreFasterAgainAndAgain) {
  const auto login = log_in();
  pass(minutes(5));
  store->just_before_a_write = [&](SessionStore& inner) {
    auto session = inner.get(login.session.key()).value().value();
    ASSERT_TRUE(inner.upsert(session).has_value());
  };
  EXPECT_EQ(manager.refresh(login.tokens.refresh).error().code, ErrorCode::conflict);
  EXPECT_EQ(manager.secure(login.session).error().code, ErrorCode::conflict);
  EXPECT_EQ(manager.touch(login.session).error().code, ErrorCode::conflict);
}

TEST_F(SessionManagerTest, StoresNothingIfAChangeThrows) {
  const auto login = log_in();
  const auto fail = [](std::string&) { throw std::runtime_error("of the host"); };
  EXPECT_THROW(static_cast<void>(manager.refresh(login.tokens.refresh, fail)), std::runtime_error);
  EXPECT_EQ(store->get(login.session.key()).value(), login.session);
}

TEST_F(SessionManagerTest, IssuesNoTokenThatOutlivesItsSession) {
  auto short_lived = options();
  short_lived.refresh_lifetime = hours(1);
  short_lived.absolute_lifetime = hours(1);
  manager = managing(short_lived);
  const auto login = log_in();
  const auto end = now() + hours(1);
  pass(hours(1) - minutes(2));
  const auto late = refresh(login);
  ASSERT_TRUE(late);
  EXPECT_EQ(late->tokens.access_expires_at, end);
  EXPECT_EQ(late->tokens.refresh_expires_at, end);
  EXPECT_EQ(late->session.refresh_expires_at, end);
  EXPECT_EQ(late->session.expires_at, end);
  pass(minutes(2));
  EXPECT_FALSE(refresh(*late));
}

TEST_F(SessionManagerTest, LogsNobodyOutBecauseTheStoreIsDown) {
  const auto login = log_in();
  pass(minutes(1));
  store->is_down = true;
  EXPECT_EQ(manager.authenticate(login.tokens.access).error().code, ErrorCode::unavailable);
  EXPECT_EQ(manager.refresh(login.tokens.refresh).error().code, ErrorCode::unavailable);
  EXPECT_EQ(manager.secure(login.session).error().code, ErrorCode::unavailable);
  EXPECT_EQ(manager.touch(login.session).error().code, ErrorCode::unavailable);
  EXPECT_EQ(manager.log_in("user", "", now()).error().code, ErrorCode::unavailable);
  EXPECT_EQ(manager.list("user").error().code, ErrorCode::unavailable);
  EXPECT_EQ(manager.log_out(login.session.key()).error().code, ErrorCode::unavailable);
  EXPECT_EQ(manager.log_out_others(login.session.key()).error().code, ErrorCode::unavailable);
  EXPECT_EQ(manager.log_out_everywhere("user").error().code, ErrorCode::unavailable);
  store->is_down = false;
  EXPECT_TRUE(is_in(login));
  EXPECT_TRUE(refresh(login));
}

TEST_F(SessionManagerTest, GoesOnIfTheClockIsSetBack) {
  auto login = log_in();
  pass(hours(1));
  login = refresh(login).value();
  pass(-hours(2));
  for (int i = 0; i < 5; ++i) {
    const auto next = refresh(login);
    ASSERT_TRUE(next);
    EXPECT_TRUE(is_in(*next));
    login = *next;
    pass(minutes(5));
  }
  pass(hours(3));
  EXPECT_TRUE(refresh(login));
  EXPECT_EQ(reuses(), 0U);
}

TEST_F(SessionManagerTest, SecuresASession) {
  const auto other = log_in();
  const auto login = log_in("a");
  pass(seconds(1));
  const auto secured = manager.secure(login.session, [](std::string& payload) { payload += 'b'; }).value();
  ASSERT_TRUE(secured);
  EXPECT_NE(secured->session.id, login.session.id);
  EXPECT_EQ(secured->session.extra_payload, "ab");
  EXPECT_EQ(secured->session.created_at, login.session.created_at);
  EXPECT_EQ(secured->session.expires_at, login.session.expires_at);
  EXPECT_EQ(secured->session.tokens_fresh_from, now());
  EXPECT_EQ(secured->session.prev_tokens_fresh_from, now());
  EXPECT_TRUE(is_in(*secured));
  EXPECT_FALSE(is_in(login));
  EXPECT_FALSE(is_in(other));
  EXPECT_FALSE(refresh(login));
  EXPECT_FALSE(refresh(other));
  EXPECT_TRUE(refresh(*secured));
  EXPECT_EQ(manager.list("user")->size(), 1U);
}

TEST_F(SessionManagerTest, SecuresASessionThatIsRefreshedMeanwhile) {
  const auto login = log_in("a");
  store->just_before_a_write = [&](SessionStore& inner) {
    store->just_before_a_write = nullptr;
    auto session = inner.get(login.session.key()).value().value();
    session.extra_payload += 'c';
    ASSERT_TRUE(inner.upsert(session).has_value());
  };
  const auto secured = manager.secure(login.session, [](std::string& payload) { payload += 'b'; }).value();
  ASSERT_TRUE(secured);
  EXPECT_EQ(secured->session.extra_payload, "acb");
  EXPECT_FALSE(is_in(login));
}

TEST_F(SessionManagerTest, TouchesOnceInAnInterval) {
  const auto login = log_in();
  const auto writes = store->writes;
  pass(minutes(1) - seconds(1));
  EXPECT_EQ(manager.touch(login.session).value(), login.session);
  EXPECT_EQ(store->writes, writes);
  pass(seconds(1));
  const auto touched = manager.touch(login.session).value();
  ASSERT_TRUE(touched);
  EXPECT_EQ(touched->refreshed_at, now());
  EXPECT_EQ(touched->refresh_expires_at, now() + days(14));
  EXPECT_EQ(touched->tokens_fresh_from, login.session.tokens_fresh_from);
  EXPECT_EQ(store->writes, writes + 1);
  // Another request read the session before: it answers with what is stored, and does not write again.
  EXPECT_EQ(manager.touch(login.session).value(), touched);
  EXPECT_EQ(store->get(login.session.key()).value(), touched);
  EXPECT_EQ(touched->lock_version, 2U);
}

TEST_F(SessionManagerTest, TouchesNoSessionBeyondItsAbsoluteEnd) {
  auto short_lived = options();
  short_lived.refresh_lifetime = hours(1);
  short_lived.absolute_lifetime = hours(1);
  manager = managing(short_lived);
  const auto login = log_in();
  pass(minutes(59));
  EXPECT_EQ(manager.touch(login.session).value()->refresh_expires_at, login.session.expires_at);
  pass(minutes(1));
  const auto calls = store->calls();
  EXPECT_FALSE(manager.touch(login.session).value());
  EXPECT_EQ(store->calls(), calls);
}

TEST_F(SessionManagerTest, ListsTheMostRecentlyUsedFirstAndLogsOut) {
  const auto first = log_in();
  pass(seconds(1));
  const auto second = log_in();
  pass(seconds(20));
  const auto third = log_in();
  ASSERT_TRUE(refresh(first));
  pass(seconds(1));
  EXPECT_TRUE(manager.touch(second.session).value());
  const auto listed = manager.list("user").value();
  ASSERT_EQ(listed.size(), 3U);
  EXPECT_EQ(listed.back().id, second.session.id);

  ASSERT_TRUE(manager.log_out(second.session.key()).has_value());
  EXPECT_FALSE(is_in(second));
  EXPECT_TRUE(is_in(third));
  ASSERT_TRUE(manager.log_out_others(third.session.key()).has_value());
  EXPECT_FALSE(is_in(first));
  EXPECT_TRUE(is_in(third));
  ASSERT_TRUE(manager.log_out_everywhere("user").has_value());
  EXPECT_FALSE(is_in(third));
  EXPECT_FALSE(refresh(third));
}

TEST(SessionManagerRace, HasOneWinner) { expect_one_winner(std::make_shared<MemoryStore>()); }

class SessionManagerCreation : public SessionManagerTest {
 protected:
  std::string refusal(const std::function<void(SessionManagerOptions&)>& change) const {
    auto changed = options();
    change(changed);
    const auto created = SessionManager::create(store, std::move(changed));
    if (created) return "created";
    EXPECT_EQ(created.error().code, ErrorCode::invalid_argument);
    return created.error().message;
  }
  void expect_refused(const std::string& what, const std::function<void(SessionManagerOptions&)>& change) const {
    EXPECT_TRUE(refusal(change).starts_with(what)) << refusal(change);
  }
};

TEST_F(SessionManagerCreation, RefusesWhatContradictsItself) {
  expect_refused("access_lifetime (3601 s) is longer than refresh_lifetime (3600 s)", [](auto& changed) {
    changed.refresh_lifetime = hours(1);
    changed.access_lifetime = hours(1) + seconds(1);
  });
  expect_refused("refresh_lifetime (1209600 s) is longer than absolute_lifetime (43200 s)",
                 [](auto& changed) { changed.absolute_lifetime = hours(12); });
  expect_refused("overlap (301 s) is longer than access_lifetime (300 s)",
                 [](auto& changed) { changed.overlap = minutes(5) + seconds(1); });
  expect_refused("drift (301 s) is longer than access_lifetime (300 s)",
                 [](auto& changed) { changed.drift = minutes(5) + seconds(1); });
  expect_refused("touch_interval (1209601 s) is longer than refresh_lifetime (1209600 s)",
                 [](auto& changed) { changed.touch_interval = days(14) + seconds(1); });
}

TEST_F(SessionManagerCreation, RefusesWhatIsNegativeOrMissing) {
  expect_refused("overlap is -1 s", [](auto& changed) { changed.overlap = seconds(-1); });
  expect_refused("drift is -1 s", [](auto& changed) { changed.drift = seconds(-1); });
  expect_refused("touch_interval is -1 s", [](auto& changed) { changed.touch_interval = seconds(-1); });
  expect_refused("access_lifetime is 0 s", [](auto& changed) { changed.access_lifetime = seconds(0); });
  expect_refused("refresh_lifetime is -5 s", [](auto& changed) { changed.refresh_lifetime = seconds(-5); });
  expect_refused("absolute_lifetime is 0 s", [](auto& changed) { changed.absolute_lifetime = seconds(0); });
  expect_refused("the keyring is empty", [](auto& changed) { changed.keyring = {}; });
  expect_refused("the clock is empty", [](auto& changed) { changed.clock = {}; });
  expect_refused("the session type", [](auto& changed) { changed.session_type = "a:b"; });
  EXPECT_EQ(SessionManager::create(nullptr, options()).error().code, ErrorCode::invalid_argument);
}

TEST_F(SessionManagerCreation, AcceptsTheExtremes) {
  EXPECT_EQ(refusal([](auto& changed) {
              changed.access_lifetime = changed.refresh_lifetime = seconds(1);
              changed.absolute_lifetime = seconds(1);
              changed.overlap = changed.drift = changed.touch_interval = seconds(0);
            }),
            "created");
  auto longest = options();
  longest.refresh_lifetime = seconds::max();
  longest.absolute_lifetime.reset();
  auto eternal = managing(longest);
  const auto login = eternal.log_in("user", "", now()).value();
  EXPECT_EQ(login.session.refresh_expires_at, latest_expiry);
  EXPECT_EQ(login.session.expires_at, std::nullopt);
  pass(minutes(5));
  EXPECT_TRUE(eternal.refresh(login.tokens.refresh).value());
}

}}  // namespace obol::testing
