// What a call fails with that its caller has cancelled.
#pragma once

#include "obol/error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 {

inline Error cancelled_error() noexcept {
  return error_from(ErrorCode::cancelled, [] { return Error{ErrorCode::cancelled, "the caller cancelled the call"}; });
}

}}  // namespace obol::v0
