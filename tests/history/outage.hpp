// What callers felt of something that happened to the servers.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "history/history.hpp"

namespace obol::testing::history {

struct Event {
  std::string name;
  Time begun = 0;
  Time restored = 0;  ///< From then on the servers could do everything that callers ask for.
  Time over = 0;      ///< When the next event began.
  std::vector<LossWindow> windows{};
};

struct Outage {
  Time longest_wait = 0;          ///< The longest time in which one user's calls of a store all failed or waited.
  std::size_t failures = 0;       ///< Calls without a known outcome.
  std::size_t late_failures = 0;  ///< Of those the ones that were begun later than `patience` after `restored`.
};

Outage outage_of(const Event& event, Time patience, const std::vector<Call>& calls);

}  // namespace obol::testing::history
