// Opens connections to one server: name, socket, TLS, introduction, all by one deadline.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "obol/error.hpp"
#include "obol/redis_options.hpp"
#include "redis/connection.hpp"
#include "redis/connection_source.hpp"
#include "redis/deadline.hpp"
#include "redis/resolver.hpp"
#include "redis/tls.hpp"

namespace obol::inline v0::redis {

/// The name is resolved anew and changed certificates are loaded anew for each connection.
class Dialer final : public ConnectionSource {
 public:
  Dialer(const ConnectionOptions& options, std::size_t maximum_reply_bytes, Peer peer = Peer::primary);

  Result<Connection> dial(Deadline deadline) override { return dial(peer_, deadline); }
  Result<Connection> dial(Peer peer, Deadline deadline);

  std::string endpoint() const override { return endpoint_; }

 private:
  Result<Connection> open(Deadline deadline);

  const ConnectionOptions options_;
  const std::size_t maximum_reply_bytes_;
  const Peer peer_;
  const std::string endpoint_;
  Resolver resolver_;
  std::optional<TlsContext> tls_;
};

}  // namespace obol::inline v0::redis
