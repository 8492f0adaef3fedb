// Chance for jitter and for choices that nobody guesses anything from.
#pragma once

#include <random>

namespace obol::inline v0::redis {

/// Each thread's own.
inline std::minstd_rand& random_generator() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return generator;
}

}  // namespace obol::inline v0::redis
