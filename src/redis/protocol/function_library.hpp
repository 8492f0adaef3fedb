// A library of functions that the server runs for us, and how it gets there.
#pragma once

#include <string_view>

#include "obol/error.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Source and name; the name ends in a hash of the source, so libraries of different releases never meet.
struct FunctionLibrary {
  std::string_view name;
  std::string_view source;

  /// FUNCTION LOAD without REPLACE.
  /// Source: https://redis.io/docs/latest/commands/function-load/
  Command load_command() const;

  /// What its reply means: true where it was loaded now, false where it stood already.
  Result<bool> load_result(const Reply& reply) const;
};

}}}  // namespace obol::v0::redis
