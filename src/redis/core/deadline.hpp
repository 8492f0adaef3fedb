// A deadline: one monotonic point in time by which a piece of work has ended.
#pragma once

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstddef>

namespace obol { inline namespace v0 { namespace redis {

class Deadline {
 public:
  using Time = std::chrono::steady_clock;

  static Deadline at(Time::time_point time) { return Deadline(time); }
  static Deadline after(std::chrono::milliseconds span) { return Deadline(Time::now() + span); }

  /// The earlier of this deadline and one `span` from now.
  Deadline within(std::chrono::milliseconds span) const { return Deadline(std::min(time_, Time::now() + span)); }

  /// The end of the first of so many equal parts of what is left.
  Deadline share(std::size_t parts) const {
    const auto now = Time::now();
    return Deadline(now + (time_ - now) / static_cast<Time::rep>(parts));
  }

  auto operator<=>(const Deadline&) const = default;

  Time::time_point time() const { return time_; }
  bool passed() const { return Time::now() >= time_; }

  /// What is left, rounded up to whole milliseconds for poll(2); 0 once passed.
  int poll_milliseconds() const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(time_ - Time::now()).count();
    return static_cast<int>(std::clamp<decltype(left)>(left, 0, 3'600'000));
  }

 private:
  explicit Deadline(Time::time_point time) : time_(time) {}
  Time::time_point time_;
};

}}}  // namespace obol::v0::redis
