// The steps from an address to an introduced connection.
#include "redis/dialer.hpp"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "redis/server_address.hpp"
#include "redis/socket.hpp"

namespace obol::inline v0::redis {
namespace {

std::string endpoint_name(const ConnectionOptions& options) {
  if (!options.unix_socket.empty()) return options.unix_socket;
  return name_of({.host = options.host, .port = options.port});
}

}  // namespace

Dialer::Dialer(const ConnectionOptions& options, std::size_t maximum_reply_bytes, Peer peer)
    : options_(options),
      maximum_reply_bytes_(maximum_reply_bytes),
      peer_(peer),
      endpoint_(endpoint_name(options)),
      resolver_(options.host, options.port) {
  if (options.tls.enabled) tls_.emplace(options.tls, options.host);
}

Result<Connection> Dialer::dial(Peer peer, Deadline deadline) {
  auto connection = open(deadline);
  if (connection) {
    if (auto done = connection->introduce(options_, peer, deadline); !done)
      return std::unexpected(at_endpoint(done.error()));
    return connection;
  }
  return std::unexpected(at_endpoint(std::move(connection.error())));
}

Result<Connection> Dialer::open(Deadline deadline) {
  // Before the network is troubled: bad files are the host's mistake.
  if (tls_) {
    if (auto usable = tls_->check(); !usable) return std::unexpected(std::move(usable.error()));
  }
  auto socket = [&]() -> Result<Socket> {
    if (!options_.unix_socket.empty()) return Socket::connect_unix(options_.unix_socket, deadline);
    const auto addresses = resolver_.resolve(deadline);
    if (!addresses) return std::unexpected(addresses.error());
    return Socket::connect_tcp(*addresses, deadline);
  }();
  if (!socket) return std::unexpected(std::move(socket.error()));
  const bool is_exposed = !tls_ && !socket->is_local();
  if (!tls_) return Connection(std::make_unique<Socket>(std::move(*socket)), maximum_reply_bytes_, is_exposed);
  auto stream = tls_->handshake(std::move(*socket), deadline);
  if (!stream) return std::unexpected(std::move(stream.error()));
  return Connection(std::move(*stream), maximum_reply_bytes_, is_exposed);
}

}  // namespace obol::inline v0::redis
