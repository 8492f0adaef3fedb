// How many connections are busy at once.
#include "redis/pool/lanes.hpp"

#include <gtest/gtest.h>

namespace obol::redis {
namespace {

using std::chrono::microseconds;

class LanesTest : public ::testing::Test {
 protected:
  void note(std::size_t batch, std::size_t at_once, microseconds round_trip, int times = 1000) {
    for (int i = 0; i < times; ++i) lanes.note(batch, at_once, round_trip, now += round_trip);
  }

  Lanes lanes{15};
  Lanes::Time::time_point now{};
};

TEST_F(LanesTest, BeginWithOne) { EXPECT_EQ(lanes.limit(), 1U); }

TEST_F(LanesTest, AreNearOnceARoundTripWasShort) {
  EXPECT_FALSE(lanes.is_near());
  note(1, 1, microseconds(50), 1);
  EXPECT_TRUE(lanes.is_near());
}

TEST_F(LanesTest, AreFarWhereEveryRoundTripIsLong) {
  note(4, 64, microseconds(500));
  EXPECT_FALSE(lanes.is_near());
}

TEST_F(LanesTest, StayOneForOneCaller) {
  note(1, 1, microseconds(50));
  EXPECT_EQ(lanes.limit(), 1U);
}

TEST_F(LanesTest, AreOneForEachOfAFewCallersNearTheServer) {
  note(1, 4, microseconds(50));
  EXPECT_EQ(lanes.limit(), 4U);
}

TEST_F(LanesTest, ShrinkToOneForManyCallersNearTheServer) {
  note(1, 4, microseconds(50));
  note(16, 64, microseconds(120));
  EXPECT_EQ(lanes.limit(), 1U);
}

TEST_F(LanesTest, GrowToAllForManyCallersFarAway) {
  note(4, 64, microseconds(5000));
  EXPECT_EQ(lanes.limit(), 15U);
}

TEST_F(LanesTest, ForgetAQuietServerOfLongAgo) {
  note(1, 64, microseconds(50));
  EXPECT_EQ(lanes.limit(), 1U);
  note(16, 64, microseconds(3000), 3000);
  EXPECT_EQ(lanes.limit(), 15U);
}

TEST_F(LanesTest, NeverTakeAServersOwnWorkForItsDistance) {
  note(200, 256, microseconds(200));
  EXPECT_EQ(lanes.limit(), 1U);
}

}  // namespace
}  // namespace obol::redis
