// Where connections to a primary come from: one server, or the one that sentinels name.
#pragma once

#include <fmt/format.h>

#include <string>

#include "obol/error.hpp"
#include "redis/connection/connection.hpp"
#include "redis/core/deadline.hpp"

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

/// Thread-safe.
class ConnectionSource {
 public:
  ConnectionSource() = default;
  ConnectionSource(const ConnectionSource&) = delete;
  ConnectionSource& operator=(const ConnectionSource&) = delete;
  virtual ~ConnectionSource() = default;

  /// A connection to a primary. `unavailable` (a replica, too), `timeout`, `tls`, `auth`, `permission`,
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
