// Closing an object that threads are inside: who is still let in, and when the last one has left.
#include "base/admission.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "support/child.hpp"

namespace obol { namespace {

using std::chrono::milliseconds;

/// True if nobody was inside at the end of a wait of this length, or before.
bool becomes_idle(const Admission& admission, milliseconds within = milliseconds(2)) {
  const auto give_up = Admission::Time::now() + within;
  admission.await_idle(give_up);
  return Admission::Time::now() < give_up;
}

TEST(Admission, LetsCallersInUntilItIsClosed) {
  Admission admission;
  const Admission::Visit first(admission);
  const Admission::Visit beside_it(admission);
  EXPECT_TRUE(first.is_admitted());
  EXPECT_TRUE(beside_it.is_admitted());
  admission.close();
  const Admission::Visit late(admission);
  EXPECT_FALSE(late.is_admitted());
  EXPECT_TRUE(first.is_admitted()) << "who is inside stays";
}

TEST(Admission, StaysClosedThoughItIsClosedAgainAndCallersLeave) {
  Admission admission;
  {
    const Admission::Visit visit(admission);
    admission.close();
    admission.close();
  }
  EXPECT_FALSE(Admission::Visit(admission).is_admitted());
}

TEST(Admission, IsNotIdleWhileAnyCallerIsInside) {
  Admission admission;
  std::optional<Admission::Visit> first(std::in_place, admission);
  std::optional<Admission::Visit> second(std::in_place, admission);
  admission.close();
  EXPECT_FALSE(becomes_idle(admission));
  first.reset();
  EXPECT_FALSE(becomes_idle(admission));
  second.reset();
  admission.await_idle();
}

// It has touched the object, which may be gone once it is idle.
TEST(Admission, IsNotIdleWhileACallerThatWasTurnedAwayIsInside) {
  Admission admission;
  admission.close();
  {
    const Admission::Visit refused(admission);
    EXPECT_FALSE(becomes_idle(admission));
  }
  admission.await_idle();
}

TEST(Admission, IsIdleAtOnceIfNobodyIsInside) {
  Admission admission;
  {
    const Admission::Visit visit(admission);
  }
  admission.close();
  admission.await_idle();
}

TEST(Admission, OfAForkedChildWaitsForNoCallerOfTheParent) {
  Admission admission;
  const Admission::Visit parents(admission);
  const auto opens_and_closes = [&admission] {
    admission.forget_callers();
    if (!Admission::Visit(admission).is_admitted()) return false;
    admission.close();
    admission.await_idle();
    return true;
  };
  EXPECT_EQ(testing::run_in_child(opens_and_closes), "");
}

TEST(Admission, OfAForkedChildIsIdleThoughACallerThatForkedLeavesIt) {
  Admission admission;
  const auto is_idle = [&admission](std::optional<Admission::Visit>& forking) {
    admission.forget_callers();
    forking.reset();
    admission.close();
    return becomes_idle(admission, std::chrono::minutes(1));
  };
  std::optional<Admission::Visit> forking(std::in_place, admission);
  EXPECT_EQ(testing::run_in_child([&] { return is_idle(forking); }), "");
}

TEST(Admission, OfAForkedChildIsClosedIfTheParentsWas) {
  Admission admission;
  const Admission::Visit parents(admission);
  admission.close();
  const auto stays_closed = [&admission] {
    admission.forget_callers();
    return !Admission::Visit(admission).is_admitted();
  };
  EXPECT_EQ(testing::run_in_child(stays_closed), "");
}

TEST(Admission, IsIdleOnlyOnceEachOfManyThreadsHasLeft) {
  for (int round = 0; round < 50; ++round) {
    Admission admission;
    std::atomic<int> inside = 0;
    std::atomic<int> started = 0;
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (;;) {
          const Admission::Visit visit(admission);
          if (!visit.is_admitted()) return;
          ++inside;
          ++started;
          std::this_thread::yield();
          --inside;
        }
      });
    }
    while (started < 8) std::this_thread::yield();
    admission.close();
    admission.await_idle();
    ASSERT_EQ(inside, 0);
  }
}

}}  // namespace obol
