// Chance for jitter and for choices that nobody guesses anything from.
#pragma once

#include <chrono>
#include <exception>
#include <random>

namespace obol::inline v0::redis {

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

}  // namespace obol::inline v0::redis
