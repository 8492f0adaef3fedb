// How many repeats a struggling server is asked for: a share of what it answers well.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

namespace obol { inline namespace v0 { namespace redis {

/// A token bucket: 64 repeats at first, and one more for every ten good answers, so that repeats add a tenth to the
/// load at most. Thread-safe.
class RetryBudget {
 public:
  void earn(std::size_t answers = 1) {
    // Nearly always full: then nothing is written, and threads do not fight over the line.
    const int held = tenths_.load(std::memory_order_relaxed);
    if (held < capacity) {
      tenths_.fetch_add(std::min(static_cast<int>(answers), capacity - held), std::memory_order_relaxed);
    }
  }

  /// False where there is none left.
  bool spend() {
    int held = tenths_.load(std::memory_order_relaxed);
    while (held >= repeat) {
      if (tenths_.compare_exchange_weak(held, held - repeat, std::memory_order_relaxed)) return true;
    }
    return false;
  }

 private:
  static constexpr int repeat = 10;
  static constexpr int capacity = 64 * repeat;
  std::atomic<int> tenths_{capacity};
};

}}}  // namespace obol::v0::redis
