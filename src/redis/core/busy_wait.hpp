// Whether to look for what may come soon before going to sleep for it.
#pragma once

#include <algorithm>
#include <chrono>

#include "redis/core/deadline.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// On an idle processor it takes long to be woken, so near a server a reply may be looked for first, giving the
/// processor to other threads each time. If that is mostly in vain, it is tried ever so rarely. Not thread-safe.
class BusyWait {
 public:
  /// Zero: never.
  explicit BusyWait(std::chrono::microseconds longest) : longest_(longest) {}

  /// Whether to look this time; then note() is due.
  bool is_worth_it() { return longest_.count() > 0 && (confidence_ > 0 || ++passed_over_ % tries_apart == 0); }

  /// When to stop looking.
  Deadline::Time::time_point end() const { return Deadline::Time::now() + longest_; }

  void note(bool came) { confidence_ = std::clamp(confidence_ + (came ? 1 : -2), 0, most_confidence); }

 private:
  static constexpr int most_confidence = 8;
  static constexpr int tries_apart = 64;

  std::chrono::microseconds longest_;
  int confidence_ = most_confidence;
  unsigned passed_over_ = 0;
};

}}}  // namespace obol::v0::redis
