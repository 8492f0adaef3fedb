// Points in time of many waiting things, cheap to set and to clear.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/intrusive_queue.hpp"
#include "redis/core/deadline.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// `Element` has the members `QueueLinks<Element> links`, `std::uint64_t due_tick` and `bool is_set = false`. A hashed
/// wheel: to set and to clear take constant time, as nearly all are cleared before they are due. An element is due at
/// the end of its tick: never before its time, and at most one tick later. Nothing here throws. Not thread-safe.
template <class Element>
class TimerWheel {
 public:
  using TimePoint = Deadline::Time::time_point;
  using Tick = std::uint64_t;

  static constexpr std::chrono::milliseconds tick_length{4};
  static constexpr std::size_t slots = 512;

  explicit TimerWheel(TimePoint now) : current_(tick_at(now)) {}

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

  /// Sets the element's time, in place of the one that it may have.
  void set(Element& element, TimePoint due) {
    clear(element);
    element.due_tick = std::max(tick_behind(due), current_ + 1);
    const auto slot = slot_of(element.due_tick);
    element.is_set = true;
    slots_[slot].push_back(element);
    occupied_[slot / word_bits] |= std::uint64_t{1} << (slot % word_bits);
    ++size_;
  }

  void clear(Element& element) {
    if (!element.is_set) return;
    element.is_set = false;
    const auto slot = slot_of(element.due_tick);
    slots_[slot].remove(element);
    note_removed(slot);
  }

  /// Takes out an element that is due; null if there is none any more. The same `now` until then.
  Element* take_due(TimePoint now) {
    const auto end = tick_at(now);
    while (current_ < end) {
      // Each slot need be looked at only once, however long nobody has asked.
      if (size_ == 0) {
        current_ = end;
        return nullptr;
      }
      if (end - current_ > slots) current_ = end - slots;
      if (Element* const due = take_due_of_tick(current_ + 1, end)) return due;
      ++current_;
    }
    return nullptr;
  }

  /// Something may be due then, and nothing before; nothing if the wheel is empty.
  std::optional<TimePoint> next_due() const {
    if (size_ == 0) return std::nullopt;
    const auto first = slot_of(current_ + 1);
    for (std::size_t word = 0; word <= words; ++word) {
      const auto index = (first / word_bits + word) % words;
      auto bits = occupied_[index];
      if (word == 0) bits &= ~std::uint64_t{0} << (first % word_bits);
      if (word == words) bits &= ~(~std::uint64_t{0} << (first % word_bits));
      if (bits == 0) continue;
      const auto slot = index * word_bits + static_cast<std::size_t>(std::countr_zero(bits));
      return time_of(current_ + 1 + (slot + slots - first) % slots);
    }
    return std::nullopt;
  }

 private:
  static constexpr std::size_t word_bits = 64;
  static constexpr std::size_t words = slots / word_bits;

  static Tick tick_at(TimePoint time) { return static_cast<Tick>(time.time_since_epoch() / tick_length); }
  static Tick tick_behind(TimePoint time) {
    return static_cast<Tick>((time.time_since_epoch() + tick_length - TimePoint::duration(1)) / tick_length);
  }
  static TimePoint time_of(Tick tick) { return TimePoint(tick * tick_length); }
  static std::size_t slot_of(Tick tick) { return tick % slots; }

  void note_removed(std::size_t slot) {
    --size_;
    if (slots_[slot].empty()) occupied_[slot / word_bits] &= ~(std::uint64_t{1} << (slot % word_bits));
  }

  Element* take_due_of_tick(Tick tick, Tick end) {
    auto& slot = slots_[slot_of(tick)];
    for (Element* element = slot.front(); element != nullptr; element = slot.behind(*element)) {
      if (element->due_tick > end) continue;
      clear(*element);
      return element;
    }
    return nullptr;
  }

  std::array<IntrusiveQueue<Element>, slots> slots_;
  std::array<std::uint64_t, words> occupied_{};
  Tick current_;  ///< All until here were taken out.
  std::size_t size_ = 0;
};

}}}  // namespace obol::v0::redis
