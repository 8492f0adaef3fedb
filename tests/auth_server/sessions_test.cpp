// The life of a session in examples/auth_server: who is let in, what a rotation replaces, what a replay ends.
#include "sessions.hpp"

#include <gtest/gtest.h>
#include <sodium.h>

#include <chrono>
#include <string>

#include "obol/memory_store.hpp"
#include "store.hpp"
#include "support/sessions.hpp"
#include "troubled_store.hpp"

namespace auth_server { namespace {

using obol::testing::signing_key;
using std::chrono::seconds;

class AuthServerSessions : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_GE(::sodium_init(), 0); }

  obol::Clock clock() {
    return [this] { return now; };
  }
  Visitor begin(const std::string& user = "user") {
    return sessions.begin(user, {.name = "laptop"}, sessions.now()).value();
  }
  Visitor refresh(const Tokens& tokens) { return sessions.resume("", tokens.refresh).value(); }
  bool is_let_in(const Tokens& tokens) {
    return sessions.resume(tokens.access, tokens.refresh).value().login.has_value();
  }

  std::chrono::system_clock::time_point now{obol::testing::now_in_seconds()};
  obol::MemoryStore memory{{.clock = clock()}};
  TroubledStore store{memory};
  obol::Keyring keyring{signing_key()};
  SessionLifetimes lifetimes{};
  Sessions sessions{store, keyring, lifetimes, clock()};
};

TEST_F(AuthServerSessions, LetsInWhoLoggedInWithoutAWrite) {
  const auto visitor = begin();
  const auto again = sessions.resume(visitor.new_tokens->access, visitor.new_tokens->refresh).value();
  ASSERT_TRUE(again.login);
  EXPECT_EQ(again.login->session, visitor.login->session);
  EXPECT_EQ(again.login->payload.device.name, "laptop");
  EXPECT_FALSE(again.new_tokens);
}

TEST_F(AuthServerSessions, KnowsNobodyWithoutTokensAndLeavesHisCookiesAlone) {
  const auto visitor = sessions.resume("", "").value();
  EXPECT_FALSE(visitor.login);
  EXPECT_FALSE(visitor.tokens_are_void);
}

TEST_F(AuthServerSessions, MakesANewSessionAtEachLogin) {
  const auto first = begin();
  const auto second = begin();
  EXPECT_NE(first.login->session.id, second.login->session.id);
  EXPECT_NE(first.login->payload.csrf_secret, second.login->payload.csrf_secret);
}

TEST_F(AuthServerSessions, RotatesTheRefreshTokenWhenTheAccessTokenHasExpired) {
  const auto visitor = begin();
  now += lifetimes.access;
  const auto rotated = sessions.resume(visitor.new_tokens->access, visitor.new_tokens->refresh).value();
  ASSERT_TRUE(rotated.login && rotated.new_tokens);
  EXPECT_EQ(rotated.login->session.lock_version, 2);
  EXPECT_NE(rotated.new_tokens->refresh, visitor.new_tokens->refresh);
  EXPECT_TRUE(is_let_in(*rotated.new_tokens));
}

TEST_F(AuthServerSessions, AnswersTheLoserOfARaceWithWhatTheWinnerStored) {
  const auto visitor = begin();
  Visitor winner;
  store.before_update = [&] { winner = refresh(*visitor.new_tokens); };
  const auto loser = refresh(*visitor.new_tokens);
  ASSERT_TRUE(winner.login && loser.login && loser.new_tokens);
  EXPECT_EQ(loser.login->session, winner.login->session);
  EXPECT_EQ(loser.new_tokens->refresh, winner.new_tokens->refresh);
  EXPECT_EQ(loser.login->session.lock_version, 2);
}

TEST_F(AuthServerSessions, ARefreshThatRacesALogoutLoses) {
  const auto visitor = begin();
  store.before_update = [&] { ASSERT_TRUE(sessions.end(visitor.login->session.key())); };
  const auto late = refresh(*visitor.new_tokens);
  EXPECT_FALSE(late.login);
  EXPECT_TRUE(late.tokens_are_void);
  EXPECT_TRUE(sessions.list("user").value().empty());
}

TEST_F(AuthServerSessions, AnswersAReplacedTokenWithTheNewOneWithinTheGraceTime) {
  const auto visitor = begin();
  const auto rotated = refresh(*visitor.new_tokens);
  now += lifetimes.grace;
  const auto late = refresh(*visitor.new_tokens);
  ASSERT_TRUE(late.new_tokens);
  EXPECT_EQ(late.new_tokens->refresh, rotated.new_tokens->refresh);
  EXPECT_EQ(late.login->session.lock_version, 2);
}

TEST_F(AuthServerSessions, EndWhereAReplacedTokenIsUsedAfterTheGraceTime) {
  const auto visitor = begin();
  const auto rotated = refresh(*visitor.new_tokens);
  now += lifetimes.grace + seconds(1);
  EXPECT_FALSE(refresh(*visitor.new_tokens).login);
  EXPECT_FALSE(is_let_in(*rotated.new_tokens));
  EXPECT_FALSE(is_let_in(*visitor.new_tokens));
}

TEST_F(AuthServerSessions, EndWhereATokenFromBeforeTheLastRotationIsUsedEvenWithinTheGraceTime) {
  const auto first = begin();
  const auto second = refresh(*first.new_tokens);
  now += lifetimes.grace + seconds(1);
  const auto third = refresh(*second.new_tokens);
  ASSERT_TRUE(third.login);
  EXPECT_FALSE(refresh(*first.new_tokens).login);
  EXPECT_FALSE(is_let_in(*third.new_tokens));
}

TEST_F(AuthServerSessions, RotateAtMostOnceInTheGraceTimeSoThatOneTokenBackIsEnough) {
  const auto visitor = begin();
  const auto rotated = refresh(*visitor.new_tokens);
  const auto again = refresh(*rotated.new_tokens);
  EXPECT_EQ(again.login->session.lock_version, 2);
  EXPECT_EQ(again.new_tokens->refresh, rotated.new_tokens->refresh);
  EXPECT_TRUE(refresh(*visitor.new_tokens).login);
}

TEST_F(AuthServerSessions, EndWhenTheyAreNotUsedAndAtTheLatestWhenTheirTimeIsUp) {
  auto visitor = begin();
  const auto unused = begin();
  for (const auto began = now; now < began + lifetimes.at_most - lifetimes.unused; now += lifetimes.unused / 2) {
    visitor = refresh(*visitor.new_tokens);
    ASSERT_TRUE(visitor.login);
  }
  EXPECT_FALSE(is_let_in(*unused.new_tokens));
  now += lifetimes.unused;
  EXPECT_FALSE(is_let_in(*visitor.new_tokens));
}

TEST_F(AuthServerSessions, RefuseATokenThatIsForgedOrOfTheOtherKind) {
  const auto tokens = *begin().new_tokens;
  EXPECT_FALSE(is_let_in({.access = tokens.refresh, .refresh = tokens.access}));
  EXPECT_FALSE(is_let_in({.access = "forged", .refresh = tokens.refresh}));
  EXPECT_FALSE(sessions.resume("", tokens.access).value().login);
  Sessions others(store, obol::Keyring(signing_key('o')), lifetimes, clock());
  EXPECT_TRUE(others.resume(tokens.access, tokens.refresh).value().tokens_are_void);
  EXPECT_TRUE(is_let_in(tokens));
}

TEST_F(AuthServerSessions, LogNobodyOutBecauseTheStoreCannotBeAsked) {
  const auto tokens = *begin().new_tokens;
  store.is_unavailable = true;
  EXPECT_EQ(sessions.resume(tokens.access, tokens.refresh).error().code, obol::ErrorCode::unavailable);
  EXPECT_EQ(sessions.resume("", tokens.refresh).error().code, obol::ErrorCode::unavailable);
  store.is_unavailable = false;
  EXPECT_TRUE(is_let_in(tokens));
}

TEST_F(AuthServerSessions, GetANewIdAndLoseTheOthersAfterAChangeOfRights) {
  const auto visitor = begin();
  const auto other = begin();
  const auto secured = sessions.secure(*visitor.login).value();
  ASSERT_TRUE(secured.login && secured.new_tokens);
  EXPECT_NE(secured.login->session.id, visitor.login->session.id);
  EXPECT_NE(secured.login->payload.csrf_secret, visitor.login->payload.csrf_secret);
  EXPECT_FALSE(is_let_in(*visitor.new_tokens));
  EXPECT_FALSE(is_let_in(*other.new_tokens));
  EXPECT_TRUE(is_let_in(*secured.new_tokens));
}

TEST_F(AuthServerSessions, AreAsTheyWereWhereTheOthersCannotBeEnded) {
  const auto visitor = begin();
  store.fails_to_delete_others = true;
  EXPECT_EQ(sessions.secure(*visitor.login).error().code, obol::ErrorCode::unavailable);
  EXPECT_TRUE(is_let_in(*visitor.new_tokens));
}

// Somebody who knows the old password alone: its hash was read in time, and verified while the owner changed it.
TEST_F(AuthServerSessions, BegunWithAPasswordThatWasChangedMeanwhileAreRevoked) {
  const auto open = open_store("", keyring).value();
  Sessions real(*open.store, keyring);
  const auto owner = real.begin("user", {.name = "laptop"}, real.now()).value();
  const auto hash_read_at = real.now();
  const auto early = real.begin("user", {.name = "thief"}, hash_read_at).value();
  const auto secured = real.secure(*owner.login).value();
  EXPECT_EQ(real.begin("user", {.name = "thief"}, hash_read_at).error().code, obol::ErrorCode::revoked);
  EXPECT_FALSE(real.resume(early.new_tokens->access, early.new_tokens->refresh).value().login);
  EXPECT_EQ(real.list("user").value().size(), 1U);
  EXPECT_TRUE(real.resume("", secured.new_tokens->refresh).value().login) << "the owner's own session goes on";
  EXPECT_TRUE(real.begin("user", {.name = "phone"}, real.now() + seconds(2)).has_value());
}

TEST_F(AuthServerSessions, AreSecuredAlsoWhereARefreshComesBetween) {
  const auto visitor = begin();
  Visitor rotated;
  store.before_update = [&] { rotated = refresh(*visitor.new_tokens); };
  const auto secured = sessions.secure(*visitor.login).value();
  ASSERT_TRUE(secured.login);
  EXPECT_FALSE(is_let_in(*rotated.new_tokens));
  EXPECT_TRUE(is_let_in(*secured.new_tokens));
}

TEST_F(AuthServerSessions, AreListedTheOneRefreshedLastFirstByHandlesThatAreNotTheirIds) {
  const auto first = begin();
  now += seconds(1);
  const auto second = begin();
  now += lifetimes.access;
  const auto rotated = refresh(*first.new_tokens);
  begin("another user");
  const auto list = sessions.list("user").value();
  ASSERT_EQ(list.size(), 2);
  EXPECT_EQ(list[0].session.id, first.login->session.id);
  EXPECT_EQ(list[1].session.id, second.login->session.id);
  EXPECT_EQ(list[0].handle().find(list[0].session.id), std::string::npos);
  EXPECT_NE(list[0].handle(), list[1].handle());
}

}}  // namespace auth_server
