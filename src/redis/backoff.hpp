// Growing, jittered pauses between attempts.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "redis/deadline.hpp"

namespace obol::inline v0::redis {

/// Full jitter: each pause is anywhere between nothing and a bound that doubles from 10 ms to 500 ms.
class Backoff {
 public:
  /// Sleeps, unless the pause would end after the deadline: then false at once, since no attempt would follow.
  bool pause(Deadline deadline) {
    thread_local std::minstd_rand generator{std::random_device{}()};
    std::uniform_int_distribution<std::chrono::microseconds::rep> span(0, bound_.count());
    const auto end = Deadline::Time::now() + std::chrono::microseconds(span(generator));
    bound_ = std::min(bound_ * 2, longest);
    if (end >= deadline.time()) return false;
    std::this_thread::sleep_until(end);
    return true;
  }

 private:
  static constexpr std::chrono::microseconds longest{500'000};
  std::chrono::microseconds bound_{10'000};
};

}  // namespace obol::inline v0::redis
