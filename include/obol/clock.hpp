// The clock that a store uses to decide whether a session has expired.
#pragma once

#include <chrono>
#include <functional>

namespace obol { inline namespace v0 {

/// Returns the current time. Called from any thread; must not throw.
using Clock = std::function<std::chrono::system_clock::time_point()>;

/// Returns the system's clock.
inline Clock system_clock() {
  return [] { return std::chrono::system_clock::now(); };
}

}}  // namespace obol::v0
