// What is known of a server's clock.
#pragma once

#include <atomic>
#include <chrono>

#include "redis/core/deadline.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Knows the server's clock from its last answer to TIME, as a distance from this host's monotonic clock. So whoever
/// writes something that expires need not ask each time whether the server takes it for expired already. Thread-safe;
/// readings that are mixed up by two threads differ by less than `margin`.
class ServerClock {
 public:
  using Milliseconds = std::chrono::milliseconds;
  using Expiry = std::chrono::sys_time<Milliseconds>;
  using TimePoint = Deadline::Time::time_point;

  /// An older reading says nothing: the clock may have been set since.
  static constexpr std::chrono::seconds trusted_for{2};
  /// After so long one caller asks again, while the others still trust what is known.
  static constexpr std::chrono::seconds renewed_after{1};
  static constexpr std::chrono::seconds margin{5};

  /// Whether TIME has to be asked with a write that expires then and is made between `now` and `deadline`: unless the
  /// clock is known to be well before the expiry.
  bool must_be_asked(Expiry expiry, TimePoint now, TimePoint deadline) {
    const auto read_at = read_at_.load(std::memory_order_relaxed);
    const auto age = now - TimePoint(TimePoint::duration(read_at));
    if (read_at == never || age > trusted_for) return true;
    const Expiry latest(distance(deadline) + Milliseconds(distance_.load(std::memory_order_relaxed)) + margin);
    if (expiry <= latest) return true;
    if (age <= renewed_after) return false;
    auto claimed = claimed_.load(std::memory_order_relaxed);
    return claimed != read_at && claimed_.compare_exchange_strong(claimed, read_at, std::memory_order_relaxed);
  }

  /// TIME, asked at `asked`, has said `theirs`. That it was asked earlier than it was answered makes the clock a little
  /// later than it is.
  void learn(Expiry theirs, TimePoint asked) {
    distance_.store((theirs.time_since_epoch() - distance(asked)).count(), std::memory_order_relaxed);
    read_at_.store(asked.time_since_epoch().count(), std::memory_order_relaxed);
  }

  /// The server may be another one.
  void forget() { read_at_.store(never, std::memory_order_relaxed); }

 private:
  using Ticks = TimePoint::duration::rep;
  static constexpr Ticks never = 0;

  static Milliseconds distance(TimePoint time) { return std::chrono::ceil<Milliseconds>(time.time_since_epoch()); }

  std::atomic<Ticks> read_at_{never};
  std::atomic<Ticks> claimed_{never};  ///< The reading that somebody renews.
  std::atomic<Milliseconds::rep> distance_{0};
};

}}}  // namespace obol::v0::redis
