// How a connection is encrypted and whom it trusts.
#pragma once

#include <string>

namespace obol::inline v0 {

/// TLS 1.2 or newer. The server's certificate and name are always checked; there is no switch to skip the name alone.
/// Files are PEM; one that changes is loaded again for the connections that follow.
struct TlsOptions {
  bool enabled = false;                     ///< Set by a URI that begins with `rediss://`.
  std::string ca_file{};                    ///< Authorities to trust; empty: the system's.
  std::string certificate_file{};           ///< Our own certificate and its chain, where the server asks for one.
  std::string private_key_file{};           ///< Its key, without a passphrase; set both or neither.
  std::string server_name{};                ///< The name the certificate must bear; empty: ConnectionOptions::host.
  bool insecure_skip_verification = false;  ///< Accepts any certificate: whoever sits on the network reads everything.

  /// Equal in every member.
  bool operator==(const TlsOptions&) const = default;
};

}  // namespace obol::inline v0
