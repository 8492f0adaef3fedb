// Single flight: one does the work, the others share what came of it, and nobody waits past a deadline.
#include "redis/topology/single_flight.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <new>

namespace obol::redis { namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A flight that is under way until it is let down.
class Airborne {
 public:
  explicit Airborne(SingleFlight& flight, Result<void> outcome = {})
      : leader_(std::async(std::launch::async, [this, &flight, outcome = std::move(outcome)] {
          return flight.run(Deadline::after(seconds(30)), [&] {
            started_.count_down();
            down_.wait();
            return outcome;
          });
        })) {
    started_.wait();
  }
  Result<void> land() {
    down_.count_down();
    return leader_.get();
  }

 private:
  std::latch started_{1};
  std::latch down_{1};
  std::future<Result<void>> leader_;
};

TEST(SingleFlight, IsSharedByThoseWhoComeMeanwhile) {
  SingleFlight flight;
  Airborne airborne(flight);
  std::atomic<int> runs = 0;
  std::latch begun{1};
  auto follower = std::async(std::launch::async, [&] {
    begun.count_down();
    return flight.run(Deadline::after(seconds(30)), [&]() -> Result<void> {
      ++runs;
      return {};
    });
  });
  begun.wait();
  EXPECT_EQ(follower.wait_for(milliseconds(200)), std::future_status::timeout);
  EXPECT_TRUE(airborne.land().has_value());
  EXPECT_TRUE(follower.get().has_value());
  EXPECT_EQ(runs, 0);
}

TEST(SingleFlight, IsMadeAgainByTheNext) {
  SingleFlight flight;
  int runs = 0;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(flight
                    .run(Deadline::after(seconds(1)),
                         [&]() -> Result<void> {
                           ++runs;
                           return {};
                         })
                    .has_value());
  }
  EXPECT_EQ(runs, 3);
}

TEST(SingleFlight, ThatFailedForAPassingReasonIsMadeAgainByOneWhoWaited) {
  for (const auto& [code, redone] :
       {std::pair(ErrorCode::unavailable, true), std::pair(ErrorCode::permission, false)}) {
    SingleFlight flight;
    Airborne airborne(flight, std::unexpected(Error{code, "no"}));
    std::latch begun{1};
    auto follower = std::async(std::launch::async, [&] {
      begun.count_down();
      return flight.run(Deadline::after(seconds(30)), []() -> Result<void> { return {}; }).has_value();
    });
    begun.wait();
    EXPECT_EQ(follower.wait_for(milliseconds(200)), std::future_status::timeout);
    EXPECT_EQ(airborne.land().error().code, code);
    EXPECT_EQ(follower.get(), redone);
  }
}

TEST(SingleFlight, IsWaitedForNoLongerThanTheDeadline) {
  SingleFlight flight;
  Airborne airborne(flight);
  const auto late = flight.run(Deadline::after(milliseconds(50)), []() -> Result<void> { return {}; });
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, ErrorCode::timeout);
  EXPECT_TRUE(airborne.land().has_value());
}

TEST(SingleFlight, ThatIsBrokenOffByAnExceptionIsMadeAgainByThoseWhoWait) {
  SingleFlight flight;
  std::latch started{1};
  std::latch broken_off{1};
  auto leader = std::async(std::launch::async, [&] {
    return flight.run(Deadline::after(seconds(30)), [&]() -> Result<void> {
      started.count_down();
      broken_off.wait();
      throw std::bad_alloc();
    });
  });
  started.wait();
  auto follower = std::async(std::launch::async,
                             [&] { return flight.run(Deadline::after(seconds(30)), [] { return Result<void>(); }); });
  EXPECT_EQ(follower.wait_for(milliseconds(100)), std::future_status::timeout);
  broken_off.count_down();
  EXPECT_THROW((void)leader.get(), std::bad_alloc);
  EXPECT_TRUE(follower.get().has_value());
  EXPECT_TRUE(flight.run(Deadline::after(seconds(30)), [] { return Result<void>(); }).has_value());
}

}}  // namespace obol::redis
