// Times a call of a store for its observer.
#pragma once

#include <chrono>
#include <optional>

#include "obol/observer.hpp"
#include "obol/session.hpp"

namespace obol { inline namespace v0 {

template <class Outcome>
CallOutcome outcome_of(const Outcome&) {
  return CallOutcome::done;
}
inline CallOutcome outcome_of(const Result<std::optional<Session>>& session) {
  return *session ? CallOutcome::found : CallOutcome::absent;
}

/// Runs `call`, which gives an expected, and tells the observer of it. `found_near` is read when it has come back.
template <class Call>
auto observed_call(Observer& observer, Operation operation, const Call& call, const bool& found_near = false) {
  const auto begun = std::chrono::steady_clock::now();
  auto result = call();
  CallEvent event{.operation = operation, .duration = std::chrono::steady_clock::now() - begun};
  if (!result) {
    event.outcome = CallOutcome::failed;
    event.error = static_cast<ErrorCode>(result.error().code.value());
  } else {
    event.outcome = found_near ? CallOutcome::found_near : outcome_of(result);
  }
  observer.on_call(event);
  return result;
}

}}  // namespace obol::v0
