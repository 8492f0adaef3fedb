// How calls of asynchronous stores fail that no server has failed.
#pragma once

#include "obol/error.hpp"

namespace obol { inline namespace v0 {

inline Error cancelled_error() { return {ErrorCode::cancelled, "the caller cancelled the call"}; }

inline Error negative_timeout_error() {
  return {
      ErrorCode::invalid_argument,
      "CallOptions::timeout is negative; set it to 0, which means Timeouts::total, or to a positive limit, and do not "
      "begin a call whose time has passed"};
}

inline Error driving_thread_error() {
  return {ErrorCode::invalid_argument,
          "this thread drives the store and would wait for itself; await the call or start it with a handler"};
}

}}  // namespace obol::v0
