// What authenticate, secure and touch ask the store, and what comes of each call if the store is down.
#include <chrono>
#include <memory>
#include <string>

#include "obol/session_token.hpp"
#include "unit/manager/manager_test.hpp"

namespace obol::testing { namespace {

using std::chrono::hours;
using std::chrono::minutes;

template <class Kind>
class SessionCallsTest : public ManagerTest<Kind> {};
TYPED_TEST_SUITE(SessionCallsTest, ManagerKinds);

TYPED_TEST(SessionCallsTest, AuthenticateReadsOnceOrNothing) {
  const auto login = this->log_in();
  const auto calls = this->store->calls();
  EXPECT_TRUE(this->manager->authenticate(login.tokens.access, AccessCheck::token).value());
  const auto session_token = issue_token(login.session.key(), Keyring(signing_key())).value();
  for (const auto& token : {login.tokens.refresh, session_token, std::string(), std::string(1'000'000, 'A')}) {
    EXPECT_FALSE(this->manager->authenticate(token).value());
  }
  EXPECT_EQ(this->store->calls(), calls);
  EXPECT_TRUE(this->is_in(login));
  EXPECT_EQ(this->store->calls(), calls + 1);
}

TYPED_TEST(SessionCallsTest, SecureKeepsWhatOthersStoreMeanwhile) {
  const auto login = this->log_in("a");
  this->add_before_a_write(login, 'c');
  const auto secured = this->manager->secure(login.session, [](std::string& payload) { payload += 'b'; }).value();
  ASSERT_TRUE(secured);
  EXPECT_EQ(secured->session.extra_payload, "acb");
  EXPECT_FALSE(this->is_in(login));
}

TYPED_TEST(SessionCallsTest, TouchWritesOnceInAnInterval) {
  const auto login = this->log_in();
  const auto calls = this->store->calls();
  EXPECT_TRUE(this->manager->touch(login.session).value());
  EXPECT_EQ(this->store->calls(), calls);
  this->hand.pass(minutes(1));
  EXPECT_TRUE(this->manager->touch(login.session).value());
  EXPECT_EQ(this->store->calls(), calls + 1);
}

TYPED_TEST(SessionCallsTest, TouchAsksNothingOfASessionThatHasEnded) {
  auto short_lived = this->options();
  short_lived.refresh_lifetime = hours(1);
  this->manager = this->managing(short_lived);
  const auto login = this->log_in();
  this->hand.pass(hours(1));
  const auto calls = this->store->calls();
  EXPECT_FALSE(this->manager->touch(login.session).value());
  EXPECT_EQ(this->store->calls(), calls);
}

TYPED_TEST(SessionCallsTest, NeitherExtendsASessionThatEndsMeanwhile) {
  const auto login = this->log_in();
  this->hand.pass(minutes(5));
  this->store->just_before_a_write = [&](SessionStore& inner) { ASSERT_TRUE(inner.delete_one(login.session.key())); };
  EXPECT_FALSE(this->manager->touch(login.session).value());
  EXPECT_FALSE(this->manager->secure(login.session).value());
  EXPECT_TRUE(this->manager->list("user")->empty());
}

TYPED_TEST(SessionCallsTest, GiveUpIfOthersAreFasterAgainAndAgain) {
  const auto login = this->log_in();
  this->hand.pass(minutes(5));
  this->store->just_before_a_write = [&](SessionStore& inner) {
    auto session = inner.get(login.session.key()).value().value();
    ASSERT_TRUE(inner.upsert(session).has_value());
  };
  EXPECT_EQ(this->manager->secure(login.session).error().code, ErrorCode::conflict);
  EXPECT_EQ(this->manager->touch(login.session).error().code, ErrorCode::conflict);
}

TYPED_TEST(SessionCallsTest, LogNobodyOutBecauseTheStoreIsDown) {
  const auto login = this->log_in();
  this->hand.pass(minutes(1));
  this->store->is_down = true;
  EXPECT_EQ(this->manager->authenticate(login.tokens.access).error().code, ErrorCode::unavailable);
  EXPECT_EQ(this->manager->refresh(login.tokens.refresh).error().code, ErrorCode::unavailable);
  EXPECT_EQ(this->manager->secure(login.session).error().code, ErrorCode::unavailable);
  EXPECT_EQ(this->manager->touch(login.session).error().code, ErrorCode::unavailable);
  EXPECT_EQ(this->manager->log_in("user", "", this->hand.now()).error().code, ErrorCode::unavailable);
  EXPECT_EQ(this->manager->list("user").error().code, ErrorCode::unavailable);
  EXPECT_EQ(this->manager->log_out(login.session.key()).error().code, ErrorCode::unavailable);
  EXPECT_EQ(this->manager->log_out_others(login.session.key()).error().code, ErrorCode::unavailable);
  EXPECT_EQ(this->manager->log_out_everywhere("user").error().code, ErrorCode::unavailable);
  this->store->is_down = false;
  EXPECT_TRUE(this->is_in(login));
  EXPECT_TRUE(this->refresh(login));
}

}}  // namespace obol::testing
