// What is known of a server's clock, and when it has to be asked.
#include "redis/core/server_clock.hpp"

#include <gtest/gtest.h>

namespace obol::redis { namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class ServerClockTest : public ::testing::Test {
 protected:
  /// A write that expires `lives` after `theirs`, made `age` after the clock was read and with 5 s to its deadline.
  bool is_asked(seconds lives, milliseconds age) {
    return clock.must_be_asked(theirs + lives, read_at + age, read_at + age + seconds(5));
  }

  const ServerClock::TimePoint read_at{hours(1)};
  const ServerClock::Expiry theirs{hours(400'000)};
  ServerClock clock;
};

TEST_F(ServerClockTest, IsAskedUntilItIsKnown) {
  EXPECT_TRUE(is_asked(hours(1000), milliseconds(0)));
  clock.learn(theirs, read_at);
  EXPECT_FALSE(is_asked(hours(1000), milliseconds(0)));
  clock.forget();
  EXPECT_TRUE(is_asked(hours(1000), milliseconds(0)));
}

TEST_F(ServerClockTest, IsAskedWhereTheExpiryIsPastOrNear) {
  clock.learn(theirs, read_at);
  for (const auto lives : {seconds(-3600), seconds(0), seconds(1), seconds(10)}) {
    EXPECT_TRUE(is_asked(lives, milliseconds(0))) << lives.count();
  }
  EXPECT_FALSE(is_asked(seconds(11), milliseconds(0)));
  EXPECT_TRUE(is_asked(seconds(11), milliseconds(1000))) << "the clock has gone on";
}

TEST_F(ServerClockTest, IsAskedByOneCallerOnceItIsASecondOld) {
  clock.learn(theirs, read_at);
  EXPECT_FALSE(is_asked(hours(1), milliseconds(1000)));
  EXPECT_TRUE(is_asked(hours(1), milliseconds(1001)));
  EXPECT_FALSE(is_asked(hours(1), milliseconds(1002))) << "another has asked";
  clock.learn(theirs + seconds(1), read_at + seconds(1));
  EXPECT_FALSE(is_asked(hours(1), milliseconds(2000)));
  EXPECT_TRUE(is_asked(hours(1), milliseconds(2002)));
}

TEST_F(ServerClockTest, IsAskedByEveryoneOnceItIsTwoSecondsOld) {
  clock.learn(theirs, read_at);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_asked(hours(1), milliseconds(2001)));
}

}}  // namespace obol::redis
