// Errors where there is no memory for an error.
#pragma once

#include <new>

#include "obol/error.hpp"

namespace obol { inline namespace v0 {

/// Its message is short enough to need no memory of its own.
inline Error out_of_memory(ErrorCode code = ErrorCode::internal) noexcept { return {code, "out of memory"}; }

/// Of the error that out_of_memory gives without a code.
inline bool is_out_of_memory(const Error& error) noexcept {
  return error.code == ErrorCode::internal && error.message == "out of memory";
}

/// What `make` gives, or an error with that code.
template <class Make>
Error error_from(ErrorCode code, Make make) noexcept {
  try {
    return make();
  } catch (const std::bad_alloc&) {
    return out_of_memory(code);
  }
}

/// The same error, without its message if there is no memory for that.
inline Error copy_of(const Error& error) noexcept {
  return error_from(static_cast<ErrorCode>(error.code.value()), [&error] { return error; });
}

/// What `use` gives, a Result, or that error.
template <class Use>
auto within_memory(Use&& use) -> decltype(use()) {
  try {
    return use();
  } catch (const std::bad_alloc&) {
    return std::unexpected(out_of_memory());
  }
}

}}  // namespace obol::v0
