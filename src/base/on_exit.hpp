// Does something when a scope is left, also by an exception.
#pragma once

#include <utility>

namespace obol { inline namespace v0 {

/// `action` must not throw.
template <class Action>
class OnExit {
 public:
  explicit OnExit(Action action) : action_(std::move(action)) {}
  OnExit(const OnExit&) = delete;
  OnExit& operator=(const OnExit&) = delete;
  ~OnExit() { action_(); }

 private:
  Action action_;
};

}}  // namespace obol::v0
