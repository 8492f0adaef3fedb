// When a connection authenticates again, and how long it waits after a refusal.
#include "redis/core/reauthentication.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "redis/protocol/command.hpp"

namespace obol::redis { namespace {

using std::chrono::milliseconds;

class ReauthenticationTest : public ::testing::Test {
 protected:
  ReauthenticationTest() { connection.begin(current.generation); }

  void replace(UserCredentials credentials) {
    current = {.credentials = std::move(credentials), .generation = current.generation + 1};
  }

  std::string command_if_due(Reauthentication& of, Reauthentication::Time then) const {
    return of.is_due(current.generation, then) ? of.command(current, then) : "";
  }
  std::string command_if_due(Reauthentication::Time then) { return command_if_due(connection, then); }

  static std::string auth(std::string_view user, std::string_view password) {
    return std::string(Command{"AUTH", user, password}.bytes());
  }

  void accept() { connection.take_reply({.kind = Reply::Kind::text, .text = "OK"}); }
  void refuse() { connection.take_reply({.kind = Reply::Kind::error, .text = "WRONGPASS"}); }

  CurrentCredentials current{.credentials = {.username = "web", .password = "one"},
                             .generation = outdated_credentials + 1};
  Reauthentication connection;
  Reauthentication::Time now{std::chrono::hours(1)};
};

TEST_F(ReauthenticationTest, IsDueOnceForEachChangeOfTheCredentials) {
  EXPECT_EQ(command_if_due(now), "");
  for (const auto* password : {"two", "three"}) {
    replace({.username = "web", .password = password});
    EXPECT_EQ(command_if_due(now), auth("web", password));
    EXPECT_TRUE(connection.awaits_reply());
    accept();
    EXPECT_FALSE(connection.awaits_reply());
    EXPECT_EQ(command_if_due(now + std::chrono::hours(1)), "");
    EXPECT_FALSE(connection.awaits_reply());
  }
}

TEST_F(ReauthenticationTest, IsOfTheDefaultUserIfNoneIsNamed) {
  replace({.password = "two"});
  EXPECT_EQ(command_if_due(now), auth("default", "two"));
}

TEST_F(ReauthenticationTest, IsDueAtOnceIfTheConnectionWasOpenedWithCredentialsThatAreNoLongerCurrent) {
  for (const auto opened_with : {current.generation, outdated_credentials}) {
    replace({.username = "web", .password = "two"});
    Reauthentication late;
    late.begin(opened_with);
    EXPECT_EQ(command_if_due(late, now), auth("web", "two"));
  }
}

TEST_F(ReauthenticationTest, IsNotDueWhileAnAnswerIsAwaited) {
  replace({.username = "web", .password = "two"});
  ASSERT_NE(command_if_due(now), "");
  now += std::chrono::hours(1);
  EXPECT_EQ(command_if_due(now), "") << "the answer would be taken for that of the first";
  refuse();
  EXPECT_EQ(command_if_due(now), auth("web", "two"));
}

TEST_F(ReauthenticationTest, IsTriedAgainAfterAPauseThatDoublesToAMinute) {
  replace({.username = "web", .password = "wrong"});
  for (const int pause : {1500, 3000, 6000, 12'000, 24'000, 48'000, 60'000, 60'000}) {
    ASSERT_EQ(command_if_due(now), auth("web", "wrong")) << pause;
    refuse();
    EXPECT_FALSE(connection.awaits_reply());
    EXPECT_EQ(command_if_due(now + milliseconds(pause - 1)), "") << pause;
    now += milliseconds(pause);
  }
}

TEST_F(ReauthenticationTest, PausesShortlyAgainAfterASuccess) {
  replace({.username = "web", .password = "early"});
  for (const int pause : {1500, 3000, 6000}) {
    ASSERT_NE(command_if_due(now), "");
    refuse();
    now += milliseconds(pause);
  }
  ASSERT_EQ(command_if_due(now), auth("web", "early"));
  accept();
  replace({.username = "web", .password = "next"});
  ASSERT_EQ(command_if_due(now), auth("web", "next")) << "no pause after a success";
  refuse();
  EXPECT_EQ(command_if_due(now + milliseconds(1499)), "");
  EXPECT_EQ(command_if_due(now + milliseconds(1500)), auth("web", "next"));
}

TEST_F(ReauthenticationTest, IsDueAgainIfTheCredentialsChangeBeforeTheReplyComes) {
  replace({.username = "web", .password = "two"});
  ASSERT_EQ(command_if_due(now), auth("web", "two"));
  replace({.username = "web", .password = "three"});
  accept();
  EXPECT_EQ(command_if_due(now), auth("web", "three"));
}

// There is no way to take an AUTH back.
TEST_F(ReauthenticationTest, IsNotDueForCredentialsOfNobody) {
  replace({});
  EXPECT_EQ(command_if_due(now), "");
  EXPECT_FALSE(connection.awaits_reply());
  replace({.username = "web", .password = "two"});
  EXPECT_EQ(command_if_due(now), auth("web", "two"));
}

}}  // namespace obol::redis
