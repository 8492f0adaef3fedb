// What an error says about another attempt, and about other calls.
#pragma once

#include "obol/error.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// True for an error that another attempt may not meet.
inline bool is_transient(const Error& error) {
  return error.code == ErrorCode::unavailable || error.code == ErrorCode::timeout;
}

/// True for an error that says something of the reply that was being read, or of this process, and nothing of the
/// server or of other connections to it.
inline bool is_of_one_call(const Error& error) {
  return error.code == ErrorCode::too_large || error.code == ErrorCode::protocol || error.code == ErrorCode::internal;
}

}}}  // namespace obol::v0::redis
