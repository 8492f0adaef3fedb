// Which server this is, as it says itself, and whether Obol is tested on it.
#pragma once

#include <string>
#include <string_view>

#include "obol/error.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// What a server calls itself, which proves nothing of what it can do.
struct ServerVersion {
  std::string kind;     ///< "Redis", "Valkey", what else it says, or "unknown server".
  std::string version;  ///< As the server says it, such as "8.0.6"; empty if it does not.

  std::string name() const { return version.empty() ? kind : kind + ' ' + version; }

  /// True for Redis from 8.0 and Valkey from 9.0 on.
  bool is_tested() const;
};

/// The releases that is_tested() means, for messages.
inline constexpr std::string_view tested_servers = "Redis 8.0 or newer, or Valkey 9.0 or newer";

/// Reads HELLO's reply, which may lack any field. `unsupported_server` if it is no reply to HELLO.
Result<ServerVersion> server_version_in(const Reply& hello);

}}}  // namespace obol::v0::redis
