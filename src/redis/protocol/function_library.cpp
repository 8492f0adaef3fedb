// How a function library is loaded, and what the server says to it.
#include "redis/protocol/function_library.hpp"

#include <fmt/format.h>

#include "redis/protocol/reply_error.hpp"

namespace obol { inline namespace v0 { namespace redis {

Command FunctionLibrary::load_command() const { return {"FUNCTION", "LOAD", source}; }

Result<bool> FunctionLibrary::load_result(const Reply& reply) const {
  if (!reply.is_error()) return true;
  if (reply.text == fmt::format("ERR Library '{}' already exists", name)) return false;
  Error error = error_of(reply, "FUNCTION LOAD");
  error.message = fmt::format("the function library {} could not be loaded: {}", name, error.message);
  if (error.code == ErrorCode::permission) {
    error.message +=
        "; this user lacks +function|load: let a deploy user load it and set FunctionLoading::require_loaded";
  }
  return std::unexpected(std::move(error));
}

}}}  // namespace obol::v0::redis
