// How calls of asynchronous stores fail that no server has failed.
#pragma once

#include <optional>

#include "obol/async_call.hpp"
#include "obol/error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 {

inline Error cancelled_error() { return {ErrorCode::cancelled, "the caller cancelled the call"}; }

inline Error negative_timeout_error() {
  return {
      ErrorCode::invalid_argument,
      "CallOptions::timeout is negative; set it to 0, which means Timeouts::total, or to a positive limit, and do not "
      "begin a call whose time has passed"};
}

/// Why a call with these options must not begin; nullopt if it may.
inline std::optional<Error> refusal_of(const CallOptions& options) noexcept {
  if (options.timeout.count() < 0) return error_from(ErrorCode::invalid_argument, negative_timeout_error);
  if (options.stop.stop_requested()) return error_from(ErrorCode::cancelled, cancelled_error);
  return std::nullopt;
}

inline Error driving_thread_error() {
  return {ErrorCode::invalid_argument,
          "this thread drives the store and would wait for itself; await the call or start it with a handler"};
}

}}  // namespace obol::v0
