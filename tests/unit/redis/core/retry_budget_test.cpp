// The retry budget: a burst at first, then a tenth of what is answered well.
#include "redis/core/retry_budget.hpp"

#include <gtest/gtest.h>

namespace obol::redis { namespace {

int spent(RetryBudget& budget) {
  int repeats = 0;
  while (budget.spend()) ++repeats;
  return repeats;
}

TEST(RetryBudget, EndsAfterABurst) {
  RetryBudget budget;
  EXPECT_EQ(spent(budget), 64);
  EXPECT_FALSE(budget.spend());
}

TEST(RetryBudget, EarnsOneRepeatForTenGoodAnswers) {
  RetryBudget budget;
  spent(budget);
  for (int i = 0; i < 9; ++i) budget.earn();
  EXPECT_FALSE(budget.spend());
  for (int i = 0; i < 21; ++i) budget.earn();
  EXPECT_EQ(spent(budget), 3);
}

TEST(RetryBudget, NeverHoldsMoreThanAtFirst) {
  RetryBudget budget;
  for (int i = 0; i < 10'000; ++i) budget.earn();
  EXPECT_EQ(spent(budget), 64);
  for (int i = 0; i < 3; ++i) budget.earn(256);
  EXPECT_EQ(spent(budget), 64);
}

}}  // namespace obol::redis
