// How many connections shall be busy at once before callers wait and share one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace obol { inline namespace v0 { namespace redis {

/// Each call costs host and server a little time. While that of all the calls at once is short against a round trip,
/// time is lost on the way, and with more connections less of it; where it is longer, both are at their limit, and
/// larger batches save work. Measured in docs/performance.md. Not thread-safe.
class ConcurrencyLimit {
 public:
  using Time = std::chrono::steady_clock;

  explicit ConcurrencyLimit(std::size_t maximum) : max_(maximum) {}

  std::size_t limit() const { return limit_; }

  /// True where a round trip is about as short as a sleep.
  bool is_near() const { return std::min(quiet_, quiet_before_) < near; }

  /// A batch of so many calls, out of so many at once, got its first answers after `round_trip`.
  void note(std::size_t batch, std::size_t at_once, Time::duration round_trip, Time::time_point now) {
    at_once_ += (static_cast<double>(at_once) - at_once_) / 16;
    note_quiet(round_trip - batch * server_cost, now);
    const auto work = at_once_ * cost_of_call;
    const auto quiet = Microseconds(std::min(quiet_, quiet_before_));
    if (work > 3.3 * quiet) {
      limit_ = std::max<std::size_t>(limit_ - 1, 1);
    } else if (work < 2.8 * quiet && at_once > limit_) {
      limit_ = std::min(limit_ + 1, max_);
    }
  }

 private:
  static constexpr std::chrono::seconds window{1};
  static constexpr std::chrono::microseconds near{100};
  using Microseconds = std::chrono::duration<double, std::micro>;
  static constexpr Microseconds cost_of_call{8};
  static constexpr std::chrono::microseconds server_cost{1};

  /// The shortest round trip of this window and the one before it: of a quiet server, and short of its own work.
  void note_quiet(Time::duration round_trip, Time::time_point now) {
    if (now >= window_ends_) {
      quiet_before_ = quiet_;
      quiet_ = Time::duration::max();
      window_ends_ = now + window;
    }
    quiet_ = std::clamp(round_trip, Time::duration(0), quiet_);
  }

  std::size_t max_;
  std::size_t limit_ = 1;
  double at_once_ = 1;  ///< Of late.
  Time::duration quiet_ = Time::duration::max();
  Time::duration quiet_before_ = Time::duration::max();
  Time::time_point window_ends_{};
};

}}}  // namespace obol::v0::redis
