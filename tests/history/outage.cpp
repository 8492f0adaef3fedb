// Looks for the gaps between calls that succeeded.
#include "history/outage.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

namespace obol::testing::history {
namespace {

/// Users whose calls succeeded so shortly before an event are looked at.
constexpr Time recent = std::chrono::nanoseconds(std::chrono::seconds(1)).count();

bool has_outcome(const Call& call) { return call.outcome != Outcome::unknown && call.outcome != Outcome::given_up; }

Time longest_gap(std::vector<Time>& ends, const Event& event) {
  std::ranges::sort(ends);
  Time longest = 0;
  for (std::size_t i = 1; i < ends.size(); ++i) {
    const bool concerns_event = ends[i] > event.begun;
    if (concerns_event) longest = std::max(longest, ends[i] - std::max(ends[i - 1], event.begun));
  }
  return longest;
}

}  // namespace

Outage outage_of(const Event& event, Time patience, const std::vector<Call>& calls) {
  Outage outage;
  std::map<std::pair<std::uint32_t, bool>, std::vector<Time>> successes;
  for (const auto& call : calls) {
    if (call.end < event.begun - recent || call.end > event.over) continue;
    if (has_outcome(call)) {
      successes[{call.user, call.is_async}].push_back(call.end);
    } else if (call.outcome == Outcome::unknown && call.end >= event.begun) {
      ++outage.failures;
      if (call.start > event.restored + patience) ++outage.late_failures;
    }
  }
  for (auto& [user, ends] : successes) outage.longest_wait = std::max(outage.longest_wait, longest_gap(ends, event));
  return outage;
}

}  // namespace obol::testing::history
