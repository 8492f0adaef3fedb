// Chance for jitter and for choices that nobody guesses anything from.
#pragma once

#include <chrono>
#include <exception>
#include <random>

namespace obol { inline namespace v0 {

/// The time will do if the system has no randomness to give.
inline std::minstd_rand::result_type random_seed() noexcept {
  try {
    return std::random_device{}();
  } catch (const std::exception&) {
    return static_cast<std::minstd_rand::result_type>(std::chrono::steady_clock::now().time_since_epoch().count());
  }
}

/// Each thread's own. Does not throw.
inline std::minstd_rand& random_generator() {
  thread_local std::minstd_rand generator{random_seed()};
  return generator;
}

/// Up to a tenth less than the limit, so that what begins together does not all end together.
inline std::chrono::milliseconds jittered(std::chrono::milliseconds limit) {
  std::uniform_int_distribution<std::chrono::milliseconds::rep> less(0, limit.count() / 10);
  return limit - std::chrono::milliseconds(less(random_generator()));
}

}}  // namespace obol::v0
