// A thing that one thread holds and lets others take while it has no use for it.
#pragma once

#include <atomic>

namespace obol::inline v0::redis {

/// Holds at most one thing. Whoever takes it owns it until it is given back. Thread-safe.
template <class Thing>
class Offer {
 public:
  /// False where another thing is held already.
  bool make(Thing& thing) {
    Thing* nothing = nullptr;
    return held_.compare_exchange_strong(nothing, &thing);
  }

  /// False where somebody has taken it.
  bool withdraw(Thing& thing) {
    Thing* expected = &thing;
    return held_.compare_exchange_strong(expected, nullptr);
  }

  /// Null where there is nothing to take.
  Thing* take() { return held_.load(std::memory_order_relaxed) == nullptr ? nullptr : held_.exchange(nullptr); }

  /// Forgets what it holds.
  void reset() { held_ = nullptr; }

 private:
  std::atomic<Thing*> held_{nullptr};
};

}  // namespace obol::inline v0::redis
