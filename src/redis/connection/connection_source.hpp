// Where connections to a primary come from: one server, or the one that sentinels name.
#pragma once

#include <fmt/format.h>

#include <string>

#include "obol/error.hpp"
#include "redis/connection/connection.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/error_kind.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Thread-safe.
class ConnectionSource {
 public:
  ConnectionSource() = default;
  ConnectionSource(const ConnectionSource&) = delete;
  ConnectionSource& operator=(const ConnectionSource&) = delete;
  virtual ~ConnectionSource() = default;

  /// A connection to a primary. `unavailable` (a replica, too), `timeout` (see not_sent), `tls`, `auth`, `permission`,
  /// `unsupported_server`, `invalid_argument` (no such database). The message begins with who was meant.
  virtual Result<Connection> dial(Deadline deadline) = 0;

  /// The primary dialed last, as "host:port" or the unix socket's path; for messages.
  virtual std::string endpoint() const = 0;

  Error at_endpoint(Error error) const {
    error.message = fmt::format("{}: {}", endpoint(), error.message);
    return error;
  }
};

}}}  // namespace obol::v0::redis
