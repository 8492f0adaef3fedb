// When a connection authenticates again, and how long it waits after a refusal.
#include "redis/connection/reauthentication.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "redis/protocol/command.hpp"

namespace obol::redis { namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ReauthenticationTest : public ::testing::Test {
 protected:
  ReauthenticationTest() { connection.follow(source, source->adopt(source->ask().value())); }

  static std::string auth(std::string_view user, std::string_view password) {
    return std::string(Command{"AUTH", user, password}.bytes());
  }

  void accept() { connection.take_reply({.kind = Reply::Kind::text, .text = "OK"}); }
  void refuse() { connection.take_reply({.kind = Reply::Kind::error, .text = "WRONGPASS"}); }

  std::shared_ptr<CredentialsSource> source =
      std::make_shared<CredentialsSource>(ConnectionOptions{.username = "web", .password = "one"});
  Reauthentication connection;
  Reauthentication::Time now{std::chrono::hours(1)};
};

TEST_F(ReauthenticationTest, IsDueOnceForEachChangeOfTheCredentials) {
  EXPECT_EQ(connection.command_if_due(now), "");
  for (const auto* password : {"two", "three"}) {
    source->replace({.username = "web", .password = password});
    EXPECT_EQ(connection.command_if_due(now), auth("web", password));
    EXPECT_TRUE(connection.awaits_reply());
    accept();
    EXPECT_FALSE(connection.awaits_reply());
    EXPECT_EQ(connection.command_if_due(now + std::chrono::hours(1)), "");
    EXPECT_FALSE(connection.awaits_reply());
  }
}

TEST_F(ReauthenticationTest, IsOfTheDefaultUserIfNoneIsNamed) {
  source->replace({.password = "two"});
  EXPECT_EQ(connection.command_if_due(now), auth("default", "two"));
}

TEST_F(ReauthenticationTest, IsDueAtOnceIfTheConnectionWasOpenedWithCredentialsThatAreNoLongerCurrent) {
  const auto before = source->ask().value();
  source->replace({.username = "web", .password = "two"});
  Reauthentication late;
  late.follow(source, source->adopt(before));
  EXPECT_EQ(late.command_if_due(now), auth("web", "two"));
}

TEST_F(ReauthenticationTest, IsNeverDueWithoutASource) {
  Reauthentication fixed;
  fixed.renew_source(now);
  EXPECT_EQ(fixed.command_if_due(now), "");
}

TEST_F(ReauthenticationTest, IsTriedAgainAfterAPauseThatDoublesToAMinute) {
  source->replace({.username = "web", .password = "wrong"});
  for (const int pause : {1500, 3000, 6000, 12'000, 24'000, 48'000, 60'000, 60'000}) {
    ASSERT_EQ(connection.command_if_due(now), auth("web", "wrong")) << pause;
    refuse();
    EXPECT_FALSE(connection.awaits_reply());
    EXPECT_EQ(connection.command_if_due(now + milliseconds(pause - 1)), "") << pause;
    now += milliseconds(pause);
  }
}

TEST_F(ReauthenticationTest, PausesShortlyAgainAfterASuccess) {
  source->replace({.username = "web", .password = "early"});
  for (const int pause : {1500, 3000, 6000}) {
    ASSERT_NE(connection.command_if_due(now), "");
    refuse();
    now += milliseconds(pause);
  }
  ASSERT_EQ(connection.command_if_due(now), auth("web", "early"));
  accept();
  source->replace({.username = "web", .password = "next"});
  ASSERT_EQ(connection.command_if_due(now), auth("web", "next")) << "no pause after a success";
  refuse();
  EXPECT_EQ(connection.command_if_due(now + milliseconds(1499)), "");
  EXPECT_EQ(connection.command_if_due(now + milliseconds(1500)), auth("web", "next"));
}

TEST_F(ReauthenticationTest, IsDueAgainIfTheCredentialsChangeBeforeTheReplyComes) {
  source->replace({.username = "web", .password = "two"});
  ASSERT_EQ(connection.command_if_due(now), auth("web", "two"));
  source->replace({.username = "web", .password = "three"});
  accept();
  EXPECT_EQ(connection.command_if_due(now), auth("web", "three"));
}

// There is no way to take an AUTH back.
TEST_F(ReauthenticationTest, IsNotDueForCredentialsOfNobody) {
  source->replace({});
  EXPECT_EQ(connection.command_if_due(now), "");
  EXPECT_FALSE(connection.awaits_reply());
  source->replace({.username = "web", .password = "two"});
  EXPECT_EQ(connection.command_if_due(now), auth("web", "two"));
}

TEST_F(ReauthenticationTest, LetsTheSourceRenewCredentialsThatEnd) {
  int asked = 0;
  const auto ending = std::make_shared<CredentialsSource>(ConnectionOptions{.credentials = [&] {
    return Result<UserCredentials>(UserCredentials{.password = std::to_string(++asked), .valid_for = seconds(4000)});
  }});
  Reauthentication idle;
  idle.follow(ending, ending->adopt(ending->ask().value()));
  const auto late = Deadline::Time::now() + seconds(3001);
  EXPECT_EQ(idle.command_if_due(late), "");
  idle.renew_source(late);
  EXPECT_EQ(idle.command_if_due(late), auth("default", "2"));
}

}}  // namespace obol::redis
