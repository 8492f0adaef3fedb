// How long the pauses between attempts are: bounded, growing, and different for each of many who were disturbed at
// once.
#include "redis/core/backoff.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>

namespace obol::redis { namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// Of each pause; from there on they grow no more.
constexpr std::array bounds{milliseconds(10),  milliseconds(20),  milliseconds(40),  milliseconds(80),
                            milliseconds(160), milliseconds(320), milliseconds(500), milliseconds(500)};

/// The shortest and the longest of many pauses after as many attempts. That none of these is in either half of what a
/// fair choice allows has a chance of 1 in 2 to the 200th.
struct Extremes {
  std::array<microseconds, bounds.size()> shortest, longest;

  Extremes() {
    shortest.fill(microseconds::max());
    longest.fill(microseconds(-1));
    for (int caller = 0; caller < 200; ++caller) {
      Backoff backoff;
      for (std::size_t attempt = 0; attempt < bounds.size(); ++attempt) {
        const auto pause = backoff.next();
        shortest[attempt] = std::min(shortest[attempt], pause);
        longest[attempt] = std::max(longest[attempt], pause);
      }
    }
  }
};

TEST(Backoff, NeverPausesLongerThanABoundThatDoublesToHalfASecond) {
  const Extremes pauses;
  for (std::size_t attempt = 0; attempt < bounds.size(); ++attempt) {
    EXPECT_LE(pauses.longest[attempt], bounds[attempt]) << "attempt " << attempt;
    EXPECT_GT(pauses.longest[attempt], bounds[attempt] / 2) << "attempt " << attempt;
  }
}

TEST(Backoff, SpreadsCallersOverTheWholeTimeBelowTheBound) {
  const Extremes pauses;
  for (std::size_t attempt = 0; attempt < bounds.size(); ++attempt) {
    EXPECT_GE(pauses.shortest[attempt], microseconds(0)) << "attempt " << attempt;
    EXPECT_LT(pauses.shortest[attempt], bounds[attempt] / 2) << "attempt " << attempt;
  }
}

}}  // namespace obol::redis
