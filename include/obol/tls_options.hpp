// TLS settings of a connection: certificates and trust.
#pragma once

#include <string>

namespace obol { inline namespace v0 {

/// TLS 1.2 or newer. The server's certificate and name are verified; there is no switch to skip only the name. Files
/// are PEM; a file that changes is loaded again for later connections.
struct TlsOptions {
  bool enabled = false;            ///< Set by a URI that begins with `rediss://`.
  std::string ca_file{};           ///< Trusted authorities; empty: those of the system.
  std::string certificate_file{};  ///< Client certificate and its chain, if the server asks for one.
  std::string private_key_file{};  ///< Key of that certificate, without a passphrase; set both or neither.
  std::string server_name{};       ///< Name that the server's certificate must contain; empty: ConnectionOptions::host.
  /// Accepts any certificate: anybody on the network path can read everything.
  bool insecure_skip_verification = false;

  /// True if all members are equal.
  bool operator==(const TlsOptions&) const = default;
};

}}  // namespace obol::v0
