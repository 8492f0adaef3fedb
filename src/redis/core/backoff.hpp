// Growing, jittered pauses between attempts.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

#include "base/random_generator.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Full jitter: each pause is anywhere between nothing and a bound that doubles from 10 ms to 500 ms.
class Backoff {
 public:
  std::chrono::microseconds next() {
    std::uniform_int_distribution<std::chrono::microseconds::rep> span(0, bound_.count());
    bound_ = std::min(bound_ * 2, longest);
    return std::chrono::microseconds(span(random_generator()));
  }

 private:
  static constexpr std::chrono::microseconds longest{500'000};
  std::chrono::microseconds bound_{10'000};
};

}}}  // namespace obol::v0::redis
