// What a waiting caller is told by other threads, and how callers sleep until they are told.
#pragma once

#include <atomic>
#include <cstdint>

#include "redis/core/deadline.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Posted by others under their lock, read by the caller without it.
class WakeSignal {
 public:
  enum Word : std::uint32_t {
    none,
    look,      ///< The queue has changed: look again.
    granted,   ///< A connection is the caller's own, or the batch that flies on it.
    answered,  ///< The outcome is there.
  };

  Word word() const { return static_cast<Word>(word_.load(std::memory_order_acquire)); }
  bool is_final() const { return word() > look; }
  void clear() { word_.store(none, std::memory_order_relaxed); }
  void post(Word word) { word_.store(word, std::memory_order_release); }

 private:
  std::atomic<std::uint32_t> word_{none};
};

/// Where callers sleep, in groups: those that will be told something together are woken by one system call, which
/// costs far less than one for each. Thread-safe. A caller may be woken without a cause.
/// Source: https://man7.org/linux/man-pages/man2/futex.2.html
class ParkingLot {
 public:
  /// Groups 0 to 15 are for callers that are told things together, 16 to 31 for those that are told alone.
  using Groups = std::uint32_t;
  static constexpr unsigned shared_groups = 16;

  /// Until `is_told`, another wake of the group, or the time given. `is_told` is asked once, when no wake can be slept
  /// through any more.
  template <class IsTold>
  void sleep(unsigned group, Deadline::Time::time_point time, IsTold is_told) {
    const auto turn = turn_.load();
    if (!is_told()) sleep_through(turn, group, time);
  }

  /// Wakes those groups (a bit each), after they were told.
  void wake(Groups woken);

 private:
  void sleep_through(std::uint32_t turn, unsigned group, Deadline::Time::time_point time);

  std::atomic<std::uint32_t> turn_{0};  ///< Moves on with every wake, so that none is slept through.
};

}}}  // namespace obol::v0::redis
