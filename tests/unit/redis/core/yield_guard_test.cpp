// When waiting threads let others run, and when they sleep instead.
#include "redis/core/yield_guard.hpp"

#include <gtest/gtest.h>

namespace obol::redis { namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

class YieldGuardTest : public ::testing::Test {
 protected:
  /// One after the other, so many; this process has that share of one processor meanwhile.
  void yield(milliseconds each, int times, double share) {
    for (int i = 0; i < times; ++i) {
      const auto before = now;
      now += each;
      used += std::chrono::duration_cast<YieldGuard::Span>(each * share);
      if (guard.is_slow(before, now)) guard.note_slow(before, now, used);
    }
  }

  YieldGuard guard{2};
  YieldGuard::TimePoint now{std::chrono::hours(1)};
  YieldGuard::Span used{};
};

TEST_F(YieldGuardTest, PermitsYieldsAtFirst) { EXPECT_TRUE(guard.permits(now)); }

TEST_F(YieldGuardTest, IgnoresQuickYields) {
  EXPECT_FALSE(guard.is_slow(now, now + microseconds(999)));
  EXPECT_TRUE(guard.is_slow(now, now + milliseconds(1)));
}

TEST_F(YieldGuardTest, BearsASlowYieldNowAndThen) {
  for (int i = 0; i < 100; ++i) {
    yield(milliseconds(4), 1, 0);
    now += milliseconds(101);
    EXPECT_TRUE(guard.permits(now));
  }
}

TEST_F(YieldGuardTest, PausesIfStrangersTakeTheProcessors) {
  yield(milliseconds(4), 6, 0.2);
  EXPECT_FALSE(guard.permits(now));
  EXPECT_FALSE(guard.permits(now + milliseconds(99)));
  EXPECT_TRUE(guard.permits(now + milliseconds(100)));
}

// A thousand threads take milliseconds to pass the processor round.
TEST_F(YieldGuardTest, PermitsSlowYieldsThatThisProcessItselfTakesUp) {
  yield(milliseconds(6), 1000, 1.5);
  EXPECT_TRUE(guard.permits(now));
}

TEST_F(YieldGuardTest, CountsYieldsThatOverlapOnce) {
  for (int i = 0; i < 6; ++i) {
    const auto after = now + milliseconds(5) + microseconds(i);
    if (guard.is_slow(now, after)) guard.note_slow(now, after, used);
  }
  EXPECT_TRUE(guard.permits(now + milliseconds(6)));
}

TEST_F(YieldGuardTest, PausesLongerWhileYieldsStaySlow) {
  milliseconds pause(100);
  for (int i = 0; i < 6; ++i) {
    yield(milliseconds(4), 6, 0);
    EXPECT_FALSE(guard.permits(now + pause - milliseconds(1))) << i;
    EXPECT_TRUE(guard.permits(now + pause)) << i;
    now += pause;
    pause = std::min(2 * pause, milliseconds(1600));
  }
}

TEST_F(YieldGuardTest, BeginsWithAShortPauseAgainAfterAQuietTime) {
  for (int i = 0; i < 3; ++i) {
    yield(milliseconds(4), 6, 0);
    now += milliseconds(400);
  }
  now += std::chrono::seconds(2);
  yield(milliseconds(4), 6, 0);
  EXPECT_TRUE(guard.permits(now + milliseconds(100)));
}

}}  // namespace obol::redis
