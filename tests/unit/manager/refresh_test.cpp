// What a refresh asks the store, and what comes of it if others are faster or the store fails.
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "unit/manager/manager_test.hpp"

namespace obol::testing { namespace {

using std::chrono::minutes;
using std::chrono::seconds;

template <class Kind>
class RefreshTest : public ManagerTest<Kind> {};
TYPED_TEST_SUITE(RefreshTest, ManagerKinds);

TYPED_TEST(RefreshTest, ReadsAndWritesOnceToBeginAGeneration) {
  const auto login = this->log_in();
  this->hand.pass(minutes(5));
  const auto [reads, writes] = std::pair(this->store->reads, this->store->writes);
  ASSERT_TRUE(this->refresh(login));
  EXPECT_EQ(this->store->reads, reads + 1);
  EXPECT_EQ(this->store->writes, writes + 1);
}

TYPED_TEST(RefreshTest, WritesNothingToJoinAGeneration) {
  const auto login = this->log_in();
  this->hand.pass(minutes(5));
  ASSERT_TRUE(this->refresh(login));
  const auto [reads, writes] = std::pair(this->store->reads, this->store->writes);
  ASSERT_TRUE(this->refresh(login));
  EXPECT_EQ(this->store->reads, reads + 1);
  EXPECT_EQ(this->store->writes, writes);
}

TYPED_TEST(RefreshTest, AsksNothingForATokenThatIsNoRefreshToken) {
  const auto login = this->log_in();
  const auto calls = this->store->calls();
  for (const auto& token : {login.tokens.access, std::string(), std::string("\0\xFF", 2)}) {
    EXPECT_FALSE(this->manager->refresh(token).value());
  }
  EXPECT_EQ(this->store->calls(), calls);
}

// The loser answers with the winner's session, and asks the store nothing more.
TYPED_TEST(RefreshTest, AnswersWithTheWinnerOfARace) {
  const auto login = this->log_in();
  this->hand.pass(minutes(5));
  const auto winner = this->managing(this->options());
  std::optional<LoggedIn> won;
  this->store->just_before_a_write = [&](SessionStore&) {
    this->store->just_before_a_write = nullptr;
    won = winner->refresh(login.tokens.refresh).value();
  };
  const auto [reads, writes] = std::pair(this->store->reads, this->store->writes);
  const auto lost = this->refresh(login);
  ASSERT_TRUE(lost && won);
  EXPECT_EQ(lost->session, won->session);
  EXPECT_EQ(this->store->reads, reads + 2);
  EXPECT_EQ(this->store->writes, writes + 2);
  this->hand.pass(minutes(5));
  EXPECT_TRUE(this->refresh(*lost));
  EXPECT_TRUE(this->refresh(*won));
}

TYPED_TEST(RefreshTest, LogsNobodyInWhoLoggedOutMeanwhile) {
  const auto login = this->log_in();
  this->hand.pass(minutes(5));
  this->store->just_before_a_write = [&](SessionStore& inner) { ASSERT_TRUE(inner.delete_one(login.session.key())); };
  EXPECT_FALSE(this->refresh(login));
  EXPECT_TRUE(this->manager->list("user")->empty());
}

TYPED_TEST(RefreshTest, LosesNoChangeOfThePayload) {
  const auto login = this->log_in("a");
  const auto add_b = [](std::string& payload) { payload += 'b'; };
  EXPECT_EQ(this->refresh(login, add_b)->session.extra_payload, "ab");
  this->hand.pass(minutes(5));
  this->add_before_a_write(login, 'c');
  EXPECT_EQ(this->refresh(login, add_b)->session.extra_payload, "abcb");
}

TYPED_TEST(RefreshTest, GivesUpIfOthersAreFasterAgainAndAgain) {
  const auto login = this->log_in();
  this->hand.pass(minutes(5));
  this->store->just_before_a_write = [&](SessionStore& inner) {
    auto session = inner.get(login.session.key()).value().value();
    ASSERT_TRUE(inner.upsert(session).has_value());
  };
  EXPECT_EQ(this->manager->refresh(login.tokens.refresh).error().code, ErrorCode::conflict);
}

TYPED_TEST(RefreshTest, SaysSoIfASessionCannotBeEndedNow) {
  const auto login = this->log_in();
  this->hand.pass(minutes(5));
  const auto owner = this->refresh(login);
  this->hand.pass(seconds(11));
  this->store->deletes_fail = true;
  EXPECT_EQ(this->manager->refresh(login.tokens.refresh).error().code, ErrorCode::unavailable);
  EXPECT_TRUE(this->observer->holds("lives"));
  this->store->deletes_fail = false;
  EXPECT_FALSE(this->refresh(login));
  EXPECT_FALSE(this->is_in(*owner));
}

// Nor does it log anybody out later, when its clock is right again.
TYPED_TEST(RefreshTest, AHostWhoseClockIsSetBackByMoreThanALifetimeLogsNobodyOut) {
  const auto login = this->log_in();
  this->hand.pass(minutes(5));
  ASSERT_TRUE(this->refresh(login));
  const HandClock late;
  late.pass(-std::chrono::days(15));
  auto options = this->options();
  options.clock = late.clock();
  const auto behind = this->managing(std::move(options));
  const auto joined = behind->refresh(login.tokens.refresh, {}).value();
  ASSERT_TRUE(joined);
  EXPECT_TRUE(this->refresh(*joined));
  const auto changed = behind->refresh(login.tokens.refresh, [](std::string& payload) { payload = "changed"; }).value();
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->session.extra_payload, "changed");
  EXPECT_GE(changed->session.refresh_expires_at, joined->session.refresh_expires_at);
  EXPECT_TRUE(this->refresh(*changed));
  const auto secured = behind->secure(changed->session, {}).value();
  ASSERT_TRUE(secured);
  EXPECT_TRUE(this->refresh(*secured));
}

void fail(std::string&) { throw std::runtime_error("of the host"); }

TYPED_TEST(RefreshTest, StoresNothingIfAChangeThrows) {
  const auto login = this->log_in();
  if constexpr (std::is_same_v<TypeParam, BlockingKind>) {
    EXPECT_THROW(static_cast<void>(this->manager->refresh(login.tokens.refresh, fail)), std::runtime_error);
  } else {
    EXPECT_EQ(this->manager->refresh(login.tokens.refresh, fail).error().code, ErrorCode::invalid_argument);
  }
  EXPECT_EQ(this->store->get(login.session.key()).value(), login.session);
}

}}  // namespace obol::testing
