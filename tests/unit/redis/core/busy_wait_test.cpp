// Whether to look for an answer before going to sleep for it.
#include "redis/core/busy_wait.hpp"

#include <gtest/gtest.h>

namespace obol::redis { namespace {

using std::chrono::microseconds;

constexpr int tries_before_it_gives_up = 4;
constexpr int calls_between_later_tries = 64;

BusyWait disappointed() {
  BusyWait busy_wait(microseconds(50));
  for (int i = 0; i < tries_before_it_gives_up; ++i) {
    EXPECT_TRUE(busy_wait.is_worth_it());
    busy_wait.note(false);
  }
  return busy_wait;
}

TEST(BusyWait, EndsAfterItsTime) {
  const auto start = Deadline::Time::now();
  EXPECT_GE(BusyWait(microseconds(100)).end(), start + microseconds(100));
}

TEST(BusyWait, IsNeverWorthItWhereItMayNot) { EXPECT_FALSE(BusyWait(microseconds(0)).is_worth_it()); }

TEST(BusyWait, SoonStopsWhereNothingComes) { EXPECT_FALSE(disappointed().is_worth_it()); }

TEST(BusyWait, TriesAgainNowAndThenAndGoesOnWhereThatHelps) {
  auto busy_wait = disappointed();
  int calls = 1;
  while (!busy_wait.is_worth_it()) ++calls;
  EXPECT_EQ(calls, calls_between_later_tries);
  busy_wait.note(true);
  EXPECT_TRUE(busy_wait.is_worth_it());
}

}}  // namespace obol::redis
