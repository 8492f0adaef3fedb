// Credentials that change: which are current, when they are asked for, and what an old answer cannot undo.
#include "redis/connection/credentials_source.hpp"

#include <gtest/gtest.h>

#include <atomic>

namespace obol::redis { namespace {

using Time = Deadline::Time;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(CredentialsSource, BeginsAGenerationWithEachChange) {
  CredentialsSource source(ConnectionOptions{.username = "web", .password = "one"});
  const auto first = source.adopt(source.ask().value());
  EXPECT_EQ(source.adopt(source.ask().value()), first) << "the same again is no change";
  EXPECT_EQ(source.current().credentials, (UserCredentials{.username = "web", .password = "one"}));
  source.replace({.username = "web", .password = "two"});
  EXPECT_GT(source.generation(), first);
  EXPECT_EQ(source.current().credentials.password, "two");
  EXPECT_EQ(source.ask()->credentials.password, "two");
}

TEST(CredentialsSource, TakesNoOldAnswerForNews) {
  CredentialsSource source(ConnectionOptions{.password = "one"});
  const auto before = source.ask().value();
  source.replace({.password = "two"});
  const auto replaced = source.generation();
  EXPECT_EQ(source.adopt(before), CredentialsSource::outdated) << "that connection is to authenticate again";
  EXPECT_EQ(source.generation(), replaced);
  EXPECT_EQ(source.current().credentials.password, "two");
}

TEST(CredentialsSource, DoesNotMakeCurrentWhatNoServerHasTaken) {
  std::atomic<int> asked = 0;
  CredentialsSource source(ConnectionOptions{.credentials = [&]() -> Result<UserCredentials> {
    return UserCredentials{.password = std::to_string(++asked)};
  }});
  source.adopt(source.ask().value());
  const auto generation = source.generation();
  ASSERT_EQ(source.ask()->credentials.password, "2");
  EXPECT_EQ(source.generation(), generation);
  EXPECT_EQ(source.current().credentials.password, "1");
}

TEST(CredentialsSource, AsksTheProviderAgainOnceThreeQuartersOfTheTimeAreOver) {
  std::atomic<int> asked = 0;
  CredentialsSource source(ConnectionOptions{.credentials = [&]() -> Result<UserCredentials> {
    return UserCredentials{.password = std::to_string(++asked), .valid_for = seconds(4000)};
  }});
  const auto before = Time::now();
  source.adopt(source.ask().value());
  const auto after = Time::now();
  EXPECT_FALSE(source.is_renewal_due(before + seconds(2999)));
  source.renew_if_due(before + seconds(2999));
  EXPECT_EQ(asked, 1);
  const auto generation = source.generation();
  EXPECT_TRUE(source.is_renewal_due(after + seconds(3001)));
  EXPECT_EQ(asked, 1) << "to look asks nobody";
  source.renew_if_due(after + seconds(3001));
  EXPECT_EQ(asked, 2);
  EXPECT_GT(source.generation(), generation);
  EXPECT_EQ(source.current().credentials.password, "2");
}

TEST(CredentialsSource, DoesNotAskAgainForCredentialsThatDoNotEnd) {
  std::atomic<int> asked = 0;
  CredentialsSource source(ConnectionOptions{.credentials = [&]() -> Result<UserCredentials> {
    ++asked;
    return UserCredentials{.password = "x"};
  }});
  source.adopt(source.ask().value());
  source.renew_if_due(Time::now() + std::chrono::hours(24 * 365));
  EXPECT_EQ(asked, 1);
}

TEST(CredentialsSource, AsksAProviderThatFailsAgainAfterAPause) {
  std::atomic<int> asked = 0;
  CredentialsSource source(ConnectionOptions{.credentials = [&]() -> Result<UserCredentials> {
    if (++asked > 1) return std::unexpected(Error{ErrorCode::unavailable, "down"});
    return UserCredentials{.password = "one", .valid_for = seconds(4)};
  }});
  source.adopt(source.ask().value());
  const auto due = Time::now() + seconds(4);
  source.renew_if_due(due);
  EXPECT_FALSE(source.is_renewal_due(due + milliseconds(900)));
  source.renew_if_due(due + milliseconds(900));
  EXPECT_EQ(asked, 2) << "not again at once";
  source.renew_if_due(due + milliseconds(1100));
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(source.current().credentials.password, "one");
}

TEST(CredentialsSource, SaysWhereTheCredentialsComeFrom) {
  EXPECT_EQ(CredentialsSource(ConnectionOptions{.password = "x"}).origin(),
            "connection.username and connection.password");
  EXPECT_EQ(CredentialsSource(SentinelOptions{.password_file = "/f"}).origin(), "connection.sentinel.password_file /f");
  CredentialsSource provided(ConnectionOptions{.credentials = [] { return Result<UserCredentials>(); }});
  EXPECT_EQ(provided.origin(), "connection.credentials");
  provided.replace({.password = "x"});
  EXPECT_EQ(provided.origin(), "a call that replaced them");
}

}}  // namespace obol::redis
