// Opens connections to one server: name, socket, TLS, introduction, all by one deadline.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "obol/error.hpp"
#include "obol/redis_options.hpp"
#include "redis/connection.hpp"
#include "redis/deadline.hpp"
#include "redis/resolver.hpp"
#include "redis/tls.hpp"

namespace obol::inline v0::redis {

/// Thread-safe. The name is resolved anew and changed certificates are loaded anew for each connection.
class Dialer {
 public:
  Dialer(const ConnectionOptions& options, std::size_t maximum_reply_bytes);

  /// A connection to a primary. `unavailable` (a replica, too), `timeout`, `tls`, `auth`, `permission`,
  /// `unsupported_server`, `invalid_argument` (no such database).
  Result<Connection> dial(Deadline deadline);

  /// "host:port" or the unix socket's path, for messages.
  const std::string& endpoint() const { return endpoint_; }

  Error at_endpoint(Error error) const;

 private:
  Result<Connection> open(Deadline deadline);

  const ConnectionOptions options_;
  const std::size_t maximum_reply_bytes_;
  const std::string endpoint_;
  Resolver resolver_;
  std::optional<TlsContext> tls_;
};

}  // namespace obol::inline v0::redis
