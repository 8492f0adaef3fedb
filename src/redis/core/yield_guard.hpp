// Whether a thread that waits may let others run, or had better sleep.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>

#include "redis/core/deadline.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// A yield that threads of this process take up keeps the processors at its work, and is mostly over in microseconds. A
/// thread of another process keeps the processor for a whole slice, milliseconds in which a reply lies unread; a
/// sleeping thread is woken as soon as the reply is there. So if slow yields take up a good part of the time while this
/// process gets little of the processors, nobody yields for a while, which grows while that stays so.
class YieldGuard {
 public:
  using TimePoint = Deadline::Time::time_point;
  using Span = Deadline::Time::duration;

  explicit YieldGuard(std::size_t processors) : processors_(processors) {}

  /// Thread-safe.
  bool permits(TimePoint now) const { return ticks(now) >= paused_until_.load(std::memory_order_relaxed); }

  /// True if note_slow is due. Of yields that overlap one counts. Thread-safe.
  bool is_slow(TimePoint before, TimePoint after) const {
    return after - before >= slow && ticks(before) >= lost_until_.load(std::memory_order_relaxed);
  }

  /// A slow yield. `used`: the processor time of this process so far. Not thread-safe.
  void note_slow(TimePoint before, TimePoint after, Span used) {
    lost_until_.store(ticks(after), std::memory_order_relaxed);
    if (after - begins_ > window) return begin(after, used);
    lost_ += after - before;
    if (lost_ < bearable) return;
    const auto share = (after - begins_) * static_cast<Span::rep>(processors_) / 4;
    if (used - used_before_ < share) pause(before, after);
    begin(after, used);
  }

 private:
  static constexpr std::chrono::milliseconds slow{1};
  static constexpr std::chrono::milliseconds window{100};
  static constexpr std::chrono::milliseconds bearable{20};
  static constexpr std::chrono::milliseconds first_pause{100};
  static constexpr std::chrono::milliseconds longest_pause{1600};

  static Span::rep ticks(TimePoint time) { return time.time_since_epoch().count(); }

  void begin(TimePoint now, Span used) {
    begins_ = now;
    used_before_ = used;
    lost_ = {};
  }

  void pause(TimePoint before, TimePoint after) {
    const bool is_again = ticks(before) - paused_until_.load(std::memory_order_relaxed) < pause_.count();
    pause_ = is_again ? std::min<Span>(2 * pause_, longest_pause) : first_pause;
    paused_until_.store(ticks(after + pause_), std::memory_order_relaxed);
  }

  const std::size_t processors_;
  std::atomic<Span::rep> paused_until_{0};
  std::atomic<Span::rep> lost_until_{0};
  Span pause_{};
  TimePoint begins_{};  ///< Of the time that is looked at.
  Span used_before_{};
  Span lost_{};
};

}}}  // namespace obol::v0::redis
