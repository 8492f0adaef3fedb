// The error of an argument that is not accepted.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "obol/error.hpp"

namespace obol { inline namespace v0 {

/// `invalid_argument`, with a message that says what to do.
inline std::unexpected<Error> refuse(std::string message) {
  return std::unexpected(Error{ErrorCode::invalid_argument, std::move(message)});
}

}}  // namespace obol::v0
