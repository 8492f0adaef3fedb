#include "redis/core/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

namespace obol::testing { namespace {

struct Timer {
  int number = 0;
  QueueLinks<Timer> links{};
  std::uint64_t due_tick = 0;
  bool is_set = false;
};

using Wheel = redis::TimerWheel<Timer>;
using TimePoint = Wheel::TimePoint;

/// At a tick.
const TimePoint start = TimePoint(std::chrono::hours(1));
constexpr auto tick = Wheel::tick_length;
constexpr auto turn = Wheel::tick_length * Wheel::slots;

std::vector<int> numbers_due(Wheel& wheel, TimePoint now) {
  std::vector<int> numbers;
  while (const Timer* const due = wheel.take_due(now)) numbers.push_back(due->number);
  std::ranges::sort(numbers);
  return numbers;
}

struct WaitCase {
  const char* name;
  TimePoint::duration due;
};

class TimerWheelWaitTest : public ::testing::TestWithParam<WaitCase> {};

TEST_P(TimerWheelWaitTest, IsDueNeverBeforeItsTimeAndAtMostOneTickLater) {
  const auto due = start + GetParam().due;
  Wheel wheel(start);
  Timer timer;
  wheel.set(timer, due);
  // A host asks when it is told to.
  while (!wheel.empty()) {
    const auto next = wheel.next_due();
    ASSERT_TRUE(next.has_value());
    ASSERT_LE(*next, std::max(due, start) + tick);
    if (wheel.take_due(*next) != nullptr) {
      EXPECT_GE(*next, due);
    }
  }
  EXPECT_FALSE(timer.is_set);
  EXPECT_FALSE(wheel.next_due().has_value());
}

TEST_P(TimerWheelWaitTest, IsNotDueTheMomentBeforeItsTime) {
  const auto due = start + GetParam().due;
  if (due <= start) return;
  Wheel wheel(start);
  Timer timer;
  wheel.set(timer, due);
  EXPECT_EQ(wheel.take_due(due - TimePoint::duration(1)), nullptr);
  EXPECT_EQ(wheel.take_due(due + tick), &timer);
}

INSTANTIATE_TEST_SUITE_P(Of, TimerWheelWaitTest,
                         ::testing::Values(WaitCase{"the_past", -turn}, WaitCase{"now", TimePoint::duration(0)},
                                           WaitCase{"a_moment", TimePoint::duration(1)},
                                           WaitCase{"less_than_a_tick", tick - TimePoint::duration(1)},
                                           WaitCase{"one_tick", tick},
                                           WaitCase{"more_than_a_tick", tick + TimePoint::duration(1)},
                                           WaitCase{"one_word_of_slots", tick * 64},
                                           WaitCase{"nearly_a_turn", turn - tick}, WaitCase{"one_turn", turn},
                                           WaitCase{"more_than_a_turn", turn + tick},
                                           WaitCase{"many_turns", turn * 7 + tick * 3}),
                         [](const auto& parameter) { return parameter.param.name; });

TEST(TimerWheelTest, AnEmptyOneIsDueNever) {
  Wheel wheel(start);
  EXPECT_TRUE(wheel.empty());
  EXPECT_FALSE(wheel.next_due().has_value());
  EXPECT_EQ(wheel.take_due(start + turn * 3), nullptr);
}

TEST(TimerWheelTest, ATimerThatIsSetAgainHasItsLastTimeOnly) {
  Wheel wheel(start);
  Timer timer;
  wheel.set(timer, start + tick);
  wheel.set(timer, start + tick * 5);
  EXPECT_EQ(wheel.size(), 1U);
  EXPECT_EQ(wheel.take_due(start + tick * 4), nullptr);
  EXPECT_EQ(wheel.take_due(start + tick * 5), &timer);
}

TEST(TimerWheelTest, ATimerThatIsClearedIsNeverDue) {
  Wheel wheel(start);
  Timer timer;
  wheel.set(timer, start + tick);
  wheel.clear(timer);
  wheel.clear(timer);
  EXPECT_TRUE(wheel.empty());
  EXPECT_FALSE(wheel.next_due().has_value());
  EXPECT_EQ(wheel.take_due(start + turn), nullptr);
}

TEST(TimerWheelTest, OneOfTwoInASlotMayBeCleared) {
  Wheel wheel(start);
  Timer first;
  Timer second;
  wheel.set(first, start + tick);
  wheel.set(second, start + tick);
  wheel.clear(first);
  EXPECT_EQ(wheel.next_due(), start + tick);
  EXPECT_EQ(wheel.take_due(start + tick), &second);
}

TEST(TimerWheelTest, LooksAtEachTimerThoughNobodyAskedForManyTurns) {
  Wheel wheel(start);
  std::array<Timer, 3> timers{Timer{.number = 1}, Timer{.number = 2}, Timer{.number = 3}};
  wheel.set(timers[0], start + tick);
  wheel.set(timers[1], start + turn * 2 + tick);
  wheel.set(timers[2], start + turn * 9);
  EXPECT_EQ(numbers_due(wheel, start + turn * 5), (std::vector{1, 2}));
  EXPECT_EQ(numbers_due(wheel, start + turn * 9), std::vector{3});
}

TEST(TimerWheelTest, ATimerThatIsSetWhileOthersAreTakenIsTakenInItsTime) {
  Wheel wheel(start);
  Timer timer;
  wheel.set(timer, start + tick);
  const auto now = start + tick * 3;
  ASSERT_EQ(wheel.take_due(now), &timer);
  wheel.set(timer, now + TimePoint::duration(1));
  EXPECT_EQ(wheel.take_due(now), nullptr);
  EXPECT_EQ(wheel.next_due(), now + tick);
  EXPECT_EQ(wheel.take_due(now + tick), &timer);
}

TEST(TimerWheelTest, AskedForATimeBeforeTheLastItGivesNothing) {
  Wheel wheel(start);
  Timer timer;
  EXPECT_EQ(wheel.take_due(start + tick * 10), nullptr);
  wheel.set(timer, start + tick * 11);
  EXPECT_EQ(wheel.take_due(start), nullptr);
  EXPECT_EQ(wheel.take_due(start + tick * 11), &timer);
}

// Against a list that is searched from end to end.
TEST(TimerWheelTest, GivesWhatASimpleListWouldGive) {
  std::mt19937 random(4711);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same test each time.
  Wheel wheel(start);
  std::vector<Timer> timers(200);
  std::vector<TimePoint> due(timers.size());
  for (std::size_t i = 0; i < timers.size(); ++i) timers[i].number = static_cast<int>(i);
  auto now = start;
  for (int step = 0; step < 5000; ++step) {
    const auto chosen = random() % timers.size();
    if (random() % 4 == 0) {
      wheel.clear(timers[chosen]);
    } else {
      due[chosen] = now + std::chrono::microseconds(random() % 6'000'000);
      wheel.set(timers[chosen], due[chosen]);
    }
    if (random() % 3 != 0) continue;
    const auto next = wheel.next_due();
    now += std::chrono::microseconds(random() % (random() % 50 == 0 ? 9'000'000 : 20'000));
    for (std::size_t i = 0; i < timers.size(); ++i) {
      if (!timers[i].is_set) continue;
      ASSERT_TRUE(next && *next <= due[i] + tick) << "nobody would have come in time";
    }
    for (const int taken : numbers_due(wheel, now)) ASSERT_LE(due[static_cast<std::size_t>(taken)], now);
    for (std::size_t i = 0; i < timers.size(); ++i) {
      ASSERT_TRUE(!timers[i].is_set || due[i] + tick > now) << "one was left behind";
    }
  }
}

}}  // namespace obol::testing
