// How long a pool waits for a server that cannot be reached.
#include "redis/pool/outage.hpp"

#include <gtest/gtest.h>

namespace obol::redis { namespace {

using std::chrono::seconds;

class OutageTest : public ::testing::Test {
 protected:
  const Error passing{ErrorCode::unavailable, "connection refused"};
  const Error lasting{ErrorCode::permission, "wrong password"};
  const Outage::TimePoint begin{seconds(1000)};
  Outage outage{seconds(5)};
};

TEST_F(OutageTest, BeginsWithTheFirstFailureAndEndsWithASuccess) {
  EXPECT_FALSE(outage.is_on());
  EXPECT_TRUE(outage.may_dial(begin));
  outage.note_failure(passing, begin);
  EXPECT_TRUE(outage.is_on());
  EXPECT_EQ(outage.error().message, passing.message);
  outage.end();
  EXPECT_FALSE(outage.is_on());
  EXPECT_FALSE(outage.is_hopeless(begin + seconds(60)));
}

TEST_F(OutageTest, AllowsTheNextAttemptAfterAPauseOfHalfASecondAtMost) {
  for (int i = 0; i < 100; ++i) {
    outage.note_failure(passing, begin);
    EXPECT_GE(outage.next_attempt(), begin);
    EXPECT_LE(outage.next_attempt(), begin + std::chrono::milliseconds(500));
    EXPECT_TRUE(outage.may_dial(outage.next_attempt()));
    EXPECT_FALSE(outage.may_dial(outage.next_attempt() - std::chrono::nanoseconds(1)));
  }
}

TEST_F(OutageTest, IsHopelessOnceItHasLastedForItsPatience) {
  outage.note_failure(passing, begin);
  outage.note_failure(passing, begin + seconds(4));
  EXPECT_FALSE(outage.is_hopeless(begin + seconds(4)));
  EXPECT_TRUE(outage.is_hopeless(begin + seconds(5)));
}

TEST_F(OutageTest, IsHopelessAtOnceIfTheReasonWillNotPass) {
  outage.note_failure(lasting, begin);
  EXPECT_TRUE(outage.is_lasting());
  EXPECT_TRUE(outage.is_hopeless(begin));
  outage.note_failure(passing, begin);
  EXPECT_FALSE(outage.is_lasting());
  EXPECT_FALSE(outage.is_hopeless(begin));
}

}}  // namespace obol::redis
