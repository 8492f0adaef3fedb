// Opens connections to one server: name, socket, TLS, handshake, all by one deadline.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "obol/connection_options.hpp"
#include "obol/error.hpp"
#include "redis/connection/connection.hpp"
#include "redis/connection/connection_source.hpp"
#include "redis/connection/credentials_source.hpp"
#include "redis/core/announced_address.hpp"
#include "redis/core/deadline.hpp"
#include "redis/net/resolver.hpp"
#include "redis/net/tls_context.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// The name is resolved anew, changed certificates are loaded anew, and credentials are asked for anew for each
/// connection.
class Dialer final : public ConnectionSource {
 public:
  /// What tells one server from another of the same client.
  struct Place {
    Peer peer = Peer::primary;
    std::shared_ptr<CredentialsSource> credentials{};  ///< Shared with the client's other servers; null: the options'.
    std::optional<AnnouncedAddress> announced{};       ///< If the options' address was announced.
  };

  Dialer(const ConnectionOptions& options, std::size_t max_reply_bytes, Place place);
  Dialer(const ConnectionOptions& options, std::size_t max_reply_bytes) : Dialer(options, max_reply_bytes, Place{}) {}

  /// To an address that was announced, by way of the options' address map.
  static std::shared_ptr<Dialer> to_announced(const ConnectionOptions& options, std::size_t max_reply_bytes,
                                              Place place);

  Result<Connection> dial(Deadline deadline) override { return dial(place_.peer, deadline); }
  Result<Connection> dial(Peer peer, Deadline deadline);

  std::string endpoint() const override { return endpoint_; }

 private:
  Result<Connection> dial_as(const CredentialsSource::Asked& asked, Peer peer, Deadline deadline);
  Result<Connection> open(Deadline deadline);
  Error explained(Error error, const CredentialsSource::Asked& asked) const;

  const ConnectionOptions options_;
  const std::size_t max_reply_bytes_;
  const Place place_;
  const std::string endpoint_;
  Resolver resolver_;
  std::optional<TlsContext> tls_;
};

}}}  // namespace obol::v0::redis
