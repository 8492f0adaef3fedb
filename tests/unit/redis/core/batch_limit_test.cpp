// How many calls share one send.
#include "redis/core/batch_limit.hpp"

#include <gtest/gtest.h>

namespace obol::redis { namespace {

constexpr std::size_t kibibyte = 1024;
constexpr std::size_t mebibyte = 1024 * kibibyte;

TEST(BatchLimit, IsAFixedNumberOfSmallCalls) {
  const BatchLimit limit;
  EXPECT_TRUE(limit.admits(255, 255 * 100, 100));
  EXPECT_FALSE(limit.admits(256, 256 * 100, 100));
}

TEST(BatchLimit, BoundsTheBytesOfCommands) {
  const BatchLimit limit;
  EXPECT_TRUE(limit.admits(1, mebibyte / 2, mebibyte / 2));
  EXPECT_FALSE(limit.admits(1, mebibyte / 2, mebibyte / 2 + 1));
  EXPECT_FALSE(limit.admits(1, mebibyte, 0));
}

TEST(BatchLimit, LetsALargeCallGoByItself) {
  const BatchLimit limit;
  EXPECT_TRUE(limit.admits(0, 0, 300 * mebibyte));
  EXPECT_FALSE(limit.admits(1, 300 * mebibyte, 100));
}

TEST(BatchLimit, BoundsTheBytesOfRepliesByThoseBefore) {
  BatchLimit limit;
  limit.note(256, 256 * 300);
  EXPECT_EQ(limit.calls(), 256U);
  limit.note(256, 256 * 64 * kibibyte);
  EXPECT_EQ(limit.calls(), 64U);
  EXPECT_TRUE(limit.admits(63, 63 * 100, 100));
  EXPECT_FALSE(limit.admits(64, 64 * 100, 100));
}

TEST(BatchLimit, NeverIsLessThanOneCall) {
  BatchLimit limit;
  limit.note(1, 100 * mebibyte);
  EXPECT_EQ(limit.calls(), 1U);
  EXPECT_TRUE(limit.admits(0, 0, 100));
}

TEST(BatchLimit, ForgetsLargeRepliesLittleByLittle) {
  BatchLimit limit;
  limit.note(1, 4 * mebibyte);
  limit.note(1, 100);
  EXPECT_LT(limit.calls(), 3U);
  for (int i = 0; i < 200; ++i) limit.note(1, 100);
  EXPECT_EQ(limit.calls(), 256U);
}

TEST(BatchLimit, LearnsNothingFromABatchOfNone) {
  BatchLimit limit;
  limit.note(0, 0);
  EXPECT_EQ(limit.calls(), 256U);
}

}}  // namespace obol::redis
