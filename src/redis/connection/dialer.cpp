// The steps from an address to an connection that is ready for commands.
#include "redis/connection/dialer.hpp"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "options/server_address.hpp"
#include "redis/net/socket.hpp"
#include "redis/protocol/hello.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

std::string endpoint_name(const ConnectionOptions& options) {
  if (!options.unix_socket.empty()) return options.unix_socket;
  return name_of({.host = options.host, .port = options.port});
}

}  // namespace

Dialer::Dialer(const ConnectionOptions& options, std::size_t max_reply_bytes, Place place)
    : options_(options),
      max_reply_bytes_(max_reply_bytes),
      place_([&] {
        if (!place.credentials) place.credentials = std::make_shared<CredentialsSource>(options);
        return std::move(place);
      }()),
      endpoint_(endpoint_name(options)),
      resolver_(options.host, options.port) {
  if (options.tls.enabled) tls_.emplace(options.tls, options.host);
}

std::shared_ptr<Dialer> Dialer::to_announced(const ConnectionOptions& options, std::size_t max_reply_bytes,
                                             Place place) {
  return std::make_shared<Dialer>(options_of_announced(options, place.announced->address), max_reply_bytes,
                                  std::move(place));
}

// Credentials that were replaced between the asking and the server's answer are asked for once more.
Result<Connection> Dialer::dial(Peer peer, Deadline deadline) {
  auto asked = place_.credentials->ask();
  if (!asked) return std::unexpected(at_endpoint(std::move(asked.error())));
  auto connection = dial_as(*asked, peer, deadline);
  if (!connection && connection.error().code == ErrorCode::auth) {
    auto again = place_.credentials->ask();
    if (again && again->credentials != asked->credentials) {
      asked = std::move(again);
      connection = dial_as(*asked, peer, deadline);
    }
  }
  if (!connection) return std::unexpected(at_endpoint(explained(std::move(connection.error()), *asked)));
  connection->keep_authenticated(place_.credentials, place_.credentials->adopt(*asked));
  return connection;
}

Result<Connection> Dialer::dial_as(const CredentialsSource::Asked& asked, Peer peer, Deadline deadline) {
  auto connection = open(deadline);
  if (!connection) return connection;
  if (auto done = connection->handshake(options_, asked.credentials, peer, deadline); !done) {
    if (done.error().code == ErrorCode::timeout) done.error().message.insert(0, "connecting timed out: ");
    return std::unexpected(std::move(done.error()));
  }
  return connection;
}

// What the one who reads the message can change is where the password and the address come from.
Error Dialer::explained(Error error, const CredentialsSource::Asked& asked) const {
  if (error.code == ErrorCode::auth && sends_authentication(asked.credentials)) {
    error.message += fmt::format("; user name and password come from {}", place_.credentials->origin());
  }
  const bool was_reached = !is_transient(error) && error.code != ErrorCode::tls;
  if (!place_.announced || was_reached) return error;
  return error_with_announcement(std::move(error), *place_.announced, {.host = options_.host, .port = options_.port});
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
  if (!tls_) return Connection(std::make_unique<Socket>(std::move(*socket)), max_reply_bytes_, is_exposed);
  auto stream = tls_->handshake(std::move(*socket), deadline);
  if (!stream) return std::unexpected(std::move(stream.error()));
  return Connection(std::move(*stream), max_reply_bytes_, is_exposed);
}

}}}  // namespace obol::v0::redis
