// The table of TLS errors: what OpenSSL's error codes and verdicts on certificates mean to the caller.
#pragma once

#include <string_view>

#include "obol/error.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// What a stream was doing when OpenSSL failed.
enum class TlsPhase { handshake, transfer };

/// The last error in OpenSSL's queue of this thread, 0 if there is none. Empties the queue.
unsigned long take_openssl_error();

/// `tls`: "<what>: <OpenSSL's reason>", for a step before the handshake, such as loading a file.
Error tls_setup_error(std::string_view what, unsigned long code);

/// OpenSSL failed with this code while it talked to the peer. `tls` if the peer rejected us, or if a handshake failed
/// for any other reason than a closed connection; else `unavailable`.
Error tls_error(unsigned long code, TlsPhase phase);

/// A handshake ended with `error`. Prefers the reason why the peer's certificate was rejected, if it was (`tls`).
/// `verify_result`: see SSL_get_verify_result(3).
Error tls_handshake_error(Error error, long verify_result);

}}}  // namespace obol::v0::redis
