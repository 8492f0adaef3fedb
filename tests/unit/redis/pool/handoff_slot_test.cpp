// A thing that others may take while its holder has no use for it.
#include "redis/pool/handoff_slot.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/await.hpp"

namespace obol::redis { namespace {

struct Thing {
  int uses = 0;
  std::atomic<bool> is_back{false};
  unsigned group = ParkingLot::shared_groups;
};

bool never() { return false; }

/// For take_back: whether it may let others run before it sleeps.
bool yields() {
  std::this_thread::yield();
  return true;
}

class HandoffSlotTest : public ::testing::Test {
 protected:
  ParkingLot parking_lot;
  HandoffSlot<Thing> slot{parking_lot};
  Thing thing;
  Thing other;
};

TEST_F(HandoffSlotTest, IsTakenOnce) {
  slot.make(thing);
  EXPECT_EQ(slot.take(), &thing);
  EXPECT_EQ(slot.take(), nullptr);
}

TEST_F(HandoffSlotTest, HoldsOneThingAtATimeAndLeavesAnotherToItsHolder) {
  slot.make(thing);
  slot.make(other);
  EXPECT_TRUE(slot.take_back(other, never, yields));
  EXPECT_EQ(slot.take(), &thing);
}

TEST_F(HandoffSlotTest, IsTakenBackByItsHolder) {
  slot.make(thing);
  EXPECT_TRUE(slot.take_back(thing, never, yields));
  EXPECT_EQ(slot.take(), nullptr);
}

TEST_F(HandoffSlotTest, MayBeTakenAgainOnceItWasGivenBack) {
  slot.make(thing);
  slot.give_back(*slot.take());
  EXPECT_EQ(slot.take(), &thing);
}

TEST_F(HandoffSlotTest, IsTakenByNobodyElseOnceItWasGivenToItsHolder) {
  slot.make(thing);
  slot.give_to_holder(*slot.take());
  EXPECT_EQ(slot.take(), nullptr);
  EXPECT_TRUE(slot.take_back(thing, never, yields));
}

TEST_F(HandoffSlotTest, IsNotTakenBackOnceWhoeverTookItHasSettledIt) {
  slot.make(thing);
  slot.take();
  EXPECT_FALSE(slot.take_back(thing, [] { return true; }, yields));
}

/// A holder that waits for its thing in a thread of its own.
class Holder {
 public:
  template <class IsSettled>
  Holder(HandoffSlot<Thing>& slot, Thing& thing, IsSettled is_settled)
      : took_back_(std::async(std::launch::async, [this, &slot, &thing, is_settled] {
          thread_ = ::gettid();
          return slot.take_back(thing, is_settled, yields);
        })) {}

  bool falls_asleep() const {
    try {
      testing::await("the holder to sleep", [this] { return is_asleep(); });
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  }

  bool took_back() { return took_back_.get(); }

 private:
  // Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
  bool is_asleep() const {
    std::ifstream file("/proc/self/task/" + std::to_string(thread_) + "/stat");
    std::string line;
    std::getline(file, line);
    const auto name_ends = line.rfind(')');
    return name_ends != std::string::npos && line.substr(name_ends, 3) == ") S";
  }

  std::atomic<pid_t> thread_{0};
  std::future<bool> took_back_;
};

// A thread that only yields never gives the processor to one of lower priority, and so might wait for ever.
TEST_F(HandoffSlotTest, LetsItsHolderSleepUntilItIsGivenBack) {
  slot.make(thing);
  Thing* const taken = slot.take();
  Holder holder(slot, thing, never);
  EXPECT_TRUE(holder.falls_asleep());
  slot.give_back(*taken);
  EXPECT_TRUE(holder.took_back());
}

TEST_F(HandoffSlotTest, LetsItsHolderSleepUntilItIsGivenToIt) {
  slot.make(thing);
  Thing* const taken = slot.take();
  Holder holder(slot, thing, never);
  EXPECT_TRUE(holder.falls_asleep());
  slot.give_to_holder(*taken);
  EXPECT_TRUE(holder.took_back());
}

TEST_F(HandoffSlotTest, LetsItsHolderSleepUntilItIsSettled) {
  std::atomic<bool> is_settled = false;
  slot.make(thing);
  slot.take();
  Holder holder(slot, thing, [&is_settled] { return is_settled.load(); });
  EXPECT_TRUE(holder.falls_asleep());
  is_settled = true;
  parking_lot.wake(ParkingLot::Groups{1} << thing.group);
  EXPECT_FALSE(holder.took_back());
}

// The thing itself is not synchronised in any other way, as ThreadSanitizer would tell.
TEST_F(HandoffSlotTest, LetsOneThreadAtATimeHaveTheThing) {
  constexpr int turns = 10'000;
  slot.make(thing);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int turn = 0; turn < turns;) {
        Thing* const taken = slot.take();
        if (taken == nullptr) continue;
        ++taken->uses;
        slot.give_back(*taken);
        ++turn;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(slot.take()->uses, 4 * turns);
}

// Each wake that is missed would end the test by its time-out.
TEST_F(HandoffSlotTest, IsNeverMissedByItsHolder) {
  std::atomic<bool> is_over = false;
  const std::jthread taker([&] {
    for (int turn = 0; !is_over; ++turn) {
      Thing* const taken = slot.take();
      std::this_thread::sleep_for(std::chrono::microseconds(20));
      if (taken == nullptr) continue;
      turn % 2 == 0 ? slot.give_to_holder(*taken) : slot.give_back(*taken);
    }
  });
  for (int turn = 0; turn < 200; ++turn) {
    slot.make(thing);
    std::this_thread::yield();
    EXPECT_TRUE(slot.take_back(thing, never, yields));
  }
  is_over = true;
}

}}  // namespace obol::redis
