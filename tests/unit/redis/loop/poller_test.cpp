#include "redis/loop/poller.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>
#include <vector>

#include "support/child.hpp"

namespace obol::testing { namespace {

using redis::Deadline;
using redis::Poller;

class PollerTest : public ::testing::Test {
 protected:
  PollerTest() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0); }
  ~PollerTest() override {
    for (const int end : ends) {
      if (end >= 0) ::close(end);
    }
  }

  bool has_event(int most_milliseconds = 0) const {
    pollfd waited{.fd = poller->descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&waited, 1, most_milliseconds) == 1;
  }
  std::vector<Poller::Event> events_of(const void* source) const {
    std::vector<Poller::Event> of_source;
    for (const auto& event : poller->next_events()) {
      if (event.source == source) of_source.push_back(event);
    }
    return of_source;
  }

  std::array<int, 2> ends{-1, -1};
  std::unique_ptr<Poller> poller = *Poller::create();
};

TEST_F(PollerTest, IsQuietAtFirst) {
  EXPECT_FALSE(has_event());
  EXPECT_TRUE(poller->next_events().empty());
}

TEST_F(PollerTest, AWakeUpIsToldOnce) {
  poller->wake();
  poller->wake();
  EXPECT_TRUE(has_event());
  EXPECT_EQ(events_of(nullptr).size(), 1U);
  EXPECT_FALSE(has_event());
}

TEST_F(PollerTest, TheTimerIsToldOnceAndCanBeSetAgain) {
  for (int i = 0; i < 3; ++i) {
    const auto due = Deadline::Time::now() + std::chrono::milliseconds(5);
    poller->set_timer(due);
    ASSERT_TRUE(has_event(30'000));
    EXPECT_GE(Deadline::Time::now(), due);
    EXPECT_EQ(events_of(nullptr).size(), 1U);
    EXPECT_FALSE(has_event());
  }
}

TEST_F(PollerTest, ATimerOfThePastIsDueAtOnce) {
  poller->set_timer(Deadline::Time::time_point{});
  EXPECT_TRUE(has_event(30'000));
}

TEST_F(PollerTest, TellsOfASocketUntilItIsRead) {
  ASSERT_TRUE(poller->watch(ends[0], this, false));
  EXPECT_FALSE(has_event());
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  for (int i = 0; i < 2; ++i) {
    const auto events = events_of(this);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_TRUE(events[0].is_readable);
    EXPECT_FALSE(events[0].is_writable);
  }
  char byte = 0;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  EXPECT_FALSE(has_event());
}

TEST_F(PollerTest, TellsThatASocketIsWritableToWhoeverAskedForIt) {
  ASSERT_TRUE(poller->watch(ends[0], this, true));
  ASSERT_EQ(events_of(this).size(), 1U);
  EXPECT_TRUE(events_of(this)[0].is_writable);
  poller->change(ends[0], this, false);
  EXPECT_TRUE(events_of(this).empty());
}

TEST_F(PollerTest, ThatThePeerHasGoneCountsAsReadable) {
  ASSERT_TRUE(poller->watch(ends[0], this, false));
  ::close(std::exchange(ends[1], -1));
  const auto events = events_of(this);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_TRUE(events[0].is_readable);
}

TEST_F(PollerTest, TellsNothingOfASocketThatIsForgotten) {
  ASSERT_TRUE(poller->watch(ends[0], this, true));
  poller->forget(ends[0]);
  EXPECT_TRUE(events_of(this).empty());
}

TEST_F(PollerTest, ASocketThatCannotBeWatchedIsAnError) {
  const auto watched = poller->watch(-1, this, false);
  ASSERT_FALSE(watched.has_value());
  EXPECT_EQ(watched.error().code, ErrorCode::internal);
}

TEST_F(PollerTest, WhatDoesNotFitIntoOneLookIsToldInTheNext) {
  std::vector<std::array<int, 2>> pairs(Poller::most_events + 10);
  for (auto& pair : pairs) {
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    ASSERT_TRUE(poller->watch(pair[0], &pair, false));
    ASSERT_EQ(::write(pair[1], "x", 1), 1);
  }
  std::size_t told = 0;
  while (has_event() && told < 10 * pairs.size()) {
    for (const auto& event : poller->next_events()) {
      char byte = 0;
      const auto& pair = *static_cast<std::array<int, 2>*>(event.source);
      EXPECT_EQ(::read(pair[0], &byte, 1), 1);
      ++told;
    }
  }
  EXPECT_EQ(told, pairs.size());
  for (const auto& pair : pairs) {
    for (const int end : pair) ::close(end);
  }
}

// The set is the parent's also in a child, which has its own descriptors of it only.
TEST_F(PollerTest, AForkedChildTakesNothingOutOfTheParentsSet) {
  ASSERT_TRUE(poller->watch(ends[0], this, false));
  EXPECT_FALSE(poller->is_of_parent());
  EXPECT_EQ(run_in_child([this] {
              poller->forget(ends[0]);
              poller->wake();
              const bool is_of_parent = poller->is_of_parent();
              poller.reset();
              return is_of_parent;
            }),
            "");
  EXPECT_FALSE(has_event());
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  EXPECT_EQ(events_of(this).size(), 1U);
}

}}  // namespace obol::testing
