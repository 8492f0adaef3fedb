// An encrypted stream to a server that has proven its name: a socket with OpenSSL on top of it.
#pragma once

#include <memory>
#include <string>

#include "obol/error.hpp"
#include "redis/core/deadline.hpp"
#include "redis/net/socket.hpp"
#include "redis/net/stream.hpp"

struct ssl_ctx_st;

namespace obol { inline namespace v0 { namespace redis {

/// The stream after the handshake with a peer that must bear this name, a host name or an IP address. `tls` if the peer
/// is not accepted or does not accept us, else `unavailable` or `timeout`.
Result<std::unique_ptr<Stream>> tls_handshake(ssl_ctx_st* context, const std::string& name, Socket socket,
                                              Deadline deadline);

}}}  // namespace obol::v0::redis
