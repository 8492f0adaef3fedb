// When something that many callers use is asked for anew, and by which of them.
#pragma once

#include "redis/core/deadline.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Lets one caller at a time in, and the next not before `pause` has passed since that one came in. Nobody waits here:
/// who is not let in goes on with what is known. Not thread-safe.
class RefreshGate {
 public:
  using Time = Deadline::Time;

  explicit RefreshGate(Time::duration pause) : pause_(pause) {}

  /// True if the next caller would be let in.
  bool is_open(Time::time_point now) const { return !is_occupied_ && now >= opens_at_; }

  /// True for the caller that refreshes; it calls leave() when it is done, whatever came of it.
  bool enter(Time::time_point now) {
    if (!is_open(now)) return false;
    is_occupied_ = true;
    opens_at_ = now + pause_;
    return true;
  }

  /// Also in a forked child, which the caller that was let in did not come to.
  void leave() { is_occupied_ = false; }

 private:
  const Time::duration pause_;
  Time::time_point opens_at_{};
  bool is_occupied_ = false;
};

}}}  // namespace obol::v0::redis
