// Calls that a thread of their own works for end once.
#include "store/aside_calls.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace obol { namespace {

TEST(AsideCalls, EndOnceWhoeverComesFirst) {
  AsideCalls calls;
  int early = 0;
  int in_time = 0;
  const auto first = calls.add([&] { ++early; });
  const auto second = calls.add([&] { ++early; });
  calls.end(first, [&] { ++in_time; });
  EXPECT_FALSE(calls.empty());
  calls.end_all();
  EXPECT_TRUE(calls.empty());
  for (const auto call : {first, second}) calls.end(call, [&] { ++in_time; });
  calls.end_all();
  EXPECT_EQ(in_time, 1);
  EXPECT_EQ(early, 1);
}

TEST(AsideCalls, AreThereUntilTheirEndIsOver) {
  AsideCalls calls;
  const auto call = calls.add([] {});
  calls.end(call, [&] {
    EXPECT_FALSE(calls.empty());
    calls.end_all();
    EXPECT_FALSE(calls.empty());
  });
  EXPECT_TRUE(calls.empty());
}

TEST(AsideCalls, EndOnceWhileThreadsCompete) {
  std::atomic<int> ends{0};
  AsideCalls calls;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        const auto call = calls.add([&] { ++ends; });
        if (i % 3 == 0) calls.end_all();
        calls.end(call, [&] { ++ends; });
      }
    });
  }
  threads.clear();
  EXPECT_EQ(ends, 800);
  EXPECT_TRUE(calls.empty());
}

}}  // namespace obol
