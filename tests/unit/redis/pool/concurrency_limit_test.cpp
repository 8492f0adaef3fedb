// How many connections are busy at once.
#include "redis/pool/concurrency_limit.hpp"

#include <gtest/gtest.h>

namespace obol::redis { namespace {

using std::chrono::microseconds;

class ConcurrencyLimitTest : public ::testing::Test {
 protected:
  void note(std::size_t batch, std::size_t at_once, microseconds round_trip, int times = 1000) {
    for (int i = 0; i < times; ++i) limit.note(batch, at_once, round_trip, now += round_trip);
  }

  ConcurrencyLimit limit{15};
  ConcurrencyLimit::Time::time_point now{};
};

TEST_F(ConcurrencyLimitTest, BeginWithOne) { EXPECT_EQ(limit.limit(), 1U); }

TEST_F(ConcurrencyLimitTest, AreNearOnceARoundTripWasShort) {
  EXPECT_FALSE(limit.is_near());
  note(1, 1, microseconds(50), 1);
  EXPECT_TRUE(limit.is_near());
}

TEST_F(ConcurrencyLimitTest, AreFarWhereEveryRoundTripIsLong) {
  note(4, 64, microseconds(500));
  EXPECT_FALSE(limit.is_near());
}

TEST_F(ConcurrencyLimitTest, StayOneForOneCaller) {
  note(1, 1, microseconds(50));
  EXPECT_EQ(limit.limit(), 1U);
}

TEST_F(ConcurrencyLimitTest, AreOneForEachOfAFewCallersNearTheServer) {
  note(1, 4, microseconds(50));
  EXPECT_EQ(limit.limit(), 4U);
}

TEST_F(ConcurrencyLimitTest, ShrinkToOneForEightCallersBesideTheServer) {
  note(1, 4, microseconds(18));
  EXPECT_EQ(limit.limit(), 4U);
  note(2, 8, microseconds(20));
  EXPECT_EQ(limit.limit(), 1U);
}

TEST_F(ConcurrencyLimitTest, ShrinkToOneForManyCallersNearTheServer) {
  note(1, 4, microseconds(50));
  note(16, 64, microseconds(120));
  EXPECT_EQ(limit.limit(), 1U);
}

TEST_F(ConcurrencyLimitTest, GrowToAllForManyCallersFarAway) {
  note(4, 64, microseconds(5000));
  EXPECT_EQ(limit.limit(), 15U);
}

TEST_F(ConcurrencyLimitTest, ForgetAQuietServerOfLongAgo) {
  note(1, 64, microseconds(50));
  EXPECT_EQ(limit.limit(), 1U);
  note(16, 64, microseconds(3000), 3000);
  EXPECT_EQ(limit.limit(), 15U);
}

TEST_F(ConcurrencyLimitTest, NeverTakeAServersOwnWorkForItsDistance) {
  note(200, 256, microseconds(200));
  EXPECT_EQ(limit.limit(), 1U);
}

}}  // namespace obol::redis
