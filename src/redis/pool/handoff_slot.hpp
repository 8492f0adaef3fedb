// A thing that one thread holds and lets others take while it has no use for it.
#pragma once

#include <atomic>
#include <optional>

#include "base/on_exit.hpp"
#include "redis/core/deadline.hpp"
#include "redis/net/wake_signal.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Offers at most one thing at a time. Whoever takes it owns it until it is given back. A thing has two members
/// connections: `std::atomic<bool> is_back`, and `unsigned group`, where its holder sleeps in the parking_lot.
/// Thread-safe.
template <class Thing>
class HandoffSlot {
 public:
  /// The parking_lot must outlive this.
  explicit HandoffSlot(ParkingLot& parking_lot) : parking_lot_(parking_lot) {}

  /// By the holder. If another thing is offered already, the thing stays with its holder. Either way it is take_back
  /// that makes it the holder's own again.
  void make(Thing& thing) {
    Thing* nothing = nullptr;
    if (!offered_.compare_exchange_strong(nothing, &thing)) thing.is_back = true;
  }

  /// Null if there is nothing to take.
  Thing* take() { return offered_.load(std::memory_order_relaxed) == nullptr ? nullptr : offered_.exchange(nullptr); }

  /// By the thread that took it, which must not touch it afterwards. It is offered again.
  void give_back(Thing& thing) {
    const auto group = thing.group;
    make(thing);
    wake(group);
  }

  /// The same, but only its holder gets it.
  void give_to_holder(Thing& thing) {
    const auto group = thing.group;
    thing.is_back = true;
    wake(group);
  }

  /// By the holder: waits until the thing is its own again (true), or until `is_settled` because whoever took it has
  /// done what there was to do (false). Who settles it has to wake the holder's group. At first, as long
  /// as `yield` gives true, this only lets other threads run, since whoever took the thing holds it for a moment only;
  /// then it sleeps, so that it does not keep the processor from a thread of lower priority.
  template <class IsSettled, class Yield>
  bool take_back(Thing& thing, IsSettled is_settled, Yield yield) {
    std::optional<bool> outcome;
    const auto is_over = [&] {
      if (withdraw(thing) || thing.is_back.exchange(false)) {
        outcome = true;
      } else if (is_settled()) {
        outcome = false;
      }
      return outcome.has_value();
    };
    for (int turn = 0; turn < turns_before_sleep; ++turn) {
      if (is_over()) return *outcome;
      if (!yield()) break;
    }
    ++sleepers_;
    const OnExit awake([this] { --sleepers_; });
    while (!outcome) parking_lot_.sleep(thing.group, Deadline::Time::time_point::max(), is_over);
    return *outcome;
  }

  /// Forgets what is offered.
  void reset() { offered_ = nullptr; }

 private:
  static constexpr int turns_before_sleep = 100;

  bool withdraw(Thing& thing) {
    Thing* expected = &thing;
    return offered_.compare_exchange_strong(expected, nullptr);
  }

  // A sleeper counts itself before it looks for the last time, so either it sees the thing or it is seen here.
  void wake(unsigned group) {
    if (sleepers_ > 0) parking_lot_.wake(ParkingLot::Groups{1} << group);
  }

  ParkingLot& parking_lot_;
  std::atomic<Thing*> offered_{nullptr};
  std::atomic<unsigned> sleepers_{0};
};

}}}  // namespace obol::v0::redis
