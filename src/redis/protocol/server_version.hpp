// Which server this is, and whether Obol can run on it.
#pragma once

#include <string>

#include "obol/error.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

struct ServerVersion {
  std::string kind;     ///< "Redis" or "Valkey".
  std::string version;  ///< As the server says it, such as "8.0.6".

  std::string name() const { return kind + ' ' + version; }
};

/// Reads HELLO's reply. `unsupported_server` below Redis 8.0 and Valkey 9.0, with what was found and what is needed.
Result<ServerVersion> check_server_version(const Reply& hello);

}}}  // namespace obol::v0::redis
