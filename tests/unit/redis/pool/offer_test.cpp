// A thing that others may take while its holder has no use for it.
#include "redis/pool/offer.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/await.hpp"

namespace obol::redis {
namespace {

struct Thing {
  int uses = 0;
  std::atomic<bool> is_back{false};
  unsigned group = Dormitory::shared_groups;
};

bool never() { return false; }

class OfferTest : public ::testing::Test {
 protected:
  Dormitory dormitory;
  Offer<Thing> offer{dormitory};
  Thing thing;
  Thing other;
};

TEST_F(OfferTest, IsTakenOnce) {
  offer.make(thing);
  EXPECT_EQ(offer.take(), &thing);
  EXPECT_EQ(offer.take(), nullptr);
}

TEST_F(OfferTest, HoldsOneThingAtATimeAndLeavesAnotherToItsHolder) {
  offer.make(thing);
  offer.make(other);
  EXPECT_TRUE(offer.take_back(other, never));
  EXPECT_EQ(offer.take(), &thing);
}

TEST_F(OfferTest, IsTakenBackByItsHolder) {
  offer.make(thing);
  EXPECT_TRUE(offer.take_back(thing, never));
  EXPECT_EQ(offer.take(), nullptr);
}

TEST_F(OfferTest, MayBeTakenAgainOnceItWasGivenBack) {
  offer.make(thing);
  offer.give_back(*offer.take());
  EXPECT_EQ(offer.take(), &thing);
}

TEST_F(OfferTest, IsTakenByNobodyElseOnceItWasGivenToItsHolder) {
  offer.make(thing);
  offer.give_to_holder(*offer.take());
  EXPECT_EQ(offer.take(), nullptr);
  EXPECT_TRUE(offer.take_back(thing, never));
}

TEST_F(OfferTest, IsNotTakenBackOnceWhoeverTookItHasSettledIt) {
  offer.make(thing);
  offer.take();
  EXPECT_FALSE(offer.take_back(thing, [] { return true; }));
}

/// A holder that waits for its thing in a thread of its own.
class Holder {
 public:
  template <class IsSettled>
  Holder(Offer<Thing>& offer, Thing& thing, IsSettled is_settled)
      : took_back_(std::async(std::launch::async, [this, &offer, &thing, is_settled] {
          thread_ = ::gettid();
          return offer.take_back(thing, is_settled);
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
TEST_F(OfferTest, LetsItsHolderSleepUntilItIsGivenBack) {
  offer.make(thing);
  Thing* const taken = offer.take();
  Holder holder(offer, thing, never);
  EXPECT_TRUE(holder.falls_asleep());
  offer.give_back(*taken);
  EXPECT_TRUE(holder.took_back());
}

TEST_F(OfferTest, LetsItsHolderSleepUntilItIsGivenToIt) {
  offer.make(thing);
  Thing* const taken = offer.take();
  Holder holder(offer, thing, never);
  EXPECT_TRUE(holder.falls_asleep());
  offer.give_to_holder(*taken);
  EXPECT_TRUE(holder.took_back());
}

TEST_F(OfferTest, LetsItsHolderSleepUntilItIsSettled) {
  std::atomic<bool> is_settled = false;
  offer.make(thing);
  offer.take();
  Holder holder(offer, thing, [&is_settled] { return is_settled.load(); });
  EXPECT_TRUE(holder.falls_asleep());
  is_settled = true;
  dormitory.wake(Dormitory::Groups{1} << thing.group);
  EXPECT_FALSE(holder.took_back());
}

// The thing itself is not synchronised in any other way, as ThreadSanitizer would tell.
TEST_F(OfferTest, LetsOneThreadAtATimeHaveTheThing) {
  constexpr int turns = 10'000;
  offer.make(thing);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int turn = 0; turn < turns;) {
        Thing* const taken = offer.take();
        if (taken == nullptr) continue;
        ++taken->uses;
        offer.give_back(*taken);
        ++turn;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(offer.take()->uses, 4 * turns);
}

// Each wake that is missed would end the test by its time-out.
TEST_F(OfferTest, IsNeverMissedByItsHolder) {
  std::atomic<bool> is_over = false;
  std::jthread taker([&] {
    for (int turn = 0; !is_over; ++turn) {
      Thing* const taken = offer.take();
      std::this_thread::sleep_for(std::chrono::microseconds(20));
      if (taken == nullptr) continue;
      turn % 2 == 0 ? offer.give_to_holder(*taken) : offer.give_back(*taken);
    }
  });
  for (int turn = 0; turn < 200; ++turn) {
    offer.make(thing);
    std::this_thread::yield();
    EXPECT_TRUE(offer.take_back(thing, never));
  }
  is_over = true;
}

}  // namespace
}  // namespace obol::redis
