// A thing that others may take while its holder has no use for it.
#include "redis/offer.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace obol::redis {
namespace {

class OfferTest : public ::testing::Test {
 protected:
  Offer<int> offer;
  int thing = 0;
  int other = 0;
};

TEST_F(OfferTest, IsTakenOnce) {
  ASSERT_TRUE(offer.make(thing));
  EXPECT_EQ(offer.take(), &thing);
  EXPECT_EQ(offer.take(), nullptr);
}

TEST_F(OfferTest, HoldsOneThingAtATime) {
  ASSERT_TRUE(offer.make(thing));
  EXPECT_FALSE(offer.make(other));
  EXPECT_EQ(offer.take(), &thing);
}

TEST_F(OfferTest, IsWithdrawnOnlyWhileNobodyHasTakenIt) {
  ASSERT_TRUE(offer.make(thing));
  EXPECT_FALSE(offer.withdraw(other));
  EXPECT_TRUE(offer.withdraw(thing));
  EXPECT_FALSE(offer.withdraw(thing));
  ASSERT_TRUE(offer.make(thing));
  offer.take();
  EXPECT_FALSE(offer.withdraw(thing));
}

// The thing itself is not synchronised in any other way, as ThreadSanitizer would tell.
TEST_F(OfferTest, LetsOneThreadAtATimeHaveTheThing) {
  constexpr int turns = 10'000;
  offer.make(thing);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int turn = 0; turn < turns;) {
        int* const taken = offer.take();
        if (taken == nullptr) continue;
        ++*taken;
        offer.make(*taken);
        ++turn;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(*offer.take(), 4 * turns);
}

}  // namespace
}  // namespace obol::redis
