// Where the server is and how to log in to it, also as a URI.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "obol/error.hpp"
#include "obol/export.hpp"
#include "obol/server_address.hpp"
#include "obol/tls_options.hpp"
#include "obol/user_credentials.hpp"

namespace obol::inline v0 {

/// A primary that Redis Sentinel looks after. Before each connection the sentinels are asked which server is the
/// primary; the first that answers is asked first the next time.
/// Source: https://redis.io/docs/latest/develop/reference/sentinel-clients/
struct SentinelOptions {
  std::string primary_name{};              ///< As in `sentinel monitor <name> ...`; empty: no Sentinel.
  std::vector<ServerAddress> sentinels{};  ///< Of that primary; at least one.
  std::string username{};                  ///< ACL user of the sentinels; empty: "default".
  std::string password{};                  ///< Of the sentinels; as ConnectionOptions::password.
  std::string password_file{};             ///< Of the sentinels; as ConnectionOptions::password_file.
  CredentialsProvider credentials{};       ///< Of the sentinels; as ConnectionOptions::credentials.
  TlsOptions tls{};                        ///< Towards the sentinels.

  /// Equal in every member.
  bool operator==(const SentinelOptions&) const = default;
};

/// A Redis Cluster or Valkey Cluster. Each user's sessions are on one primary; each primary has a pool of its own.
/// Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
struct ClusterOptions {
  std::vector<ServerAddress> seeds{};  ///< Nodes to ask for all others, any of the cluster's; empty: no cluster.

  /// Equal in every member.
  bool operator==(const ClusterOptions&) const = default;
};

/// Where servers that announce an address can be reached from here, through a forwarded port, a tunnel or the host of a
/// container.
struct AddressMapping {
  ServerAddress announced{};  ///< The host exactly as it is announced, or "*" for every host; port 0: every port.
  ServerAddress reachable{};  ///< Host "*" and port 0: as announced.

  /// Equal in every member.
  bool operator==(const AddressMapping&) const = default;
};

/// Whether a URI that is written shows user names and passwords.
enum class Credentials {
  omitted,   ///< Fit for a log.
  included,  ///< A secret.
};

/// Where the server is and who we are to it. With `sentinel` or `cluster`, host and port are not used; all else is
/// meant for every server.
struct ConnectionOptions {
  std::string host = "localhost";  ///< A name or an IP address; every address of a name is tried.
  std::uint16_t port = 6379;       ///< Of TCP, for both plain and TLS; 1 to 65535.
  std::string unix_socket{};       ///< Path of a unix socket; where set, host and port are not used.
  std::string username{};          ///< ACL user; empty: "default".
  std::string password{};          ///< Empty: no AUTH is sent, or with a username, AUTH for a user who needs none.

  /// A file with the password alone, and at most one line end behind it; in place of `password`. It is read again for
  /// each connection, so that one that has been replaced is used from then on.
  std::string password_file{};

  /// Asked for each connection, in place of `username`, `password` and `password_file`.
  CredentialsProvider credentials{};
  std::uint32_t database = 0;        ///< SELECTed on each connection; more than 0 needs +select. A cluster has only 0.
  TlsOptions tls{};                  ///< Not for a unix socket.
  std::string client_name = "obol";  ///< Shown by CLIENT LIST; printable ASCII without spaces; empty: none.
  SentinelOptions sentinel{};        ///< Asked for the primary; unset: none.
  ClusterOptions cluster{};          ///< Where the server is a cluster's; unset: none.

  /// For addresses that a cluster, sentinels or (of its replicas) a primary announce; the first entry that fits counts.
  /// With TLS the certificate must bear the name or address that is reachable, or `tls.server_name`.
  std::vector<AddressMapping> address_map{};

  /// Reads one of
  ///
  ///     redis://[user[:password]@]host[:port][/database]
  ///     redis+sentinel://[user[:password]@]host[:port][,host[:port]...]/primary_name[/database]
  ///     redis+cluster://[user[:password]@]host[:port][,host[:port]...]
  ///     unix://[user[:password]@]/path
  ///
  /// with `rediss` in place of `redis` for TLS, and `valkey` and `valkeys` meaning the same as those; upper case does
  /// not matter in a scheme. User and password are the servers'; `user:@` is a user who needs no password. A sentinel's
  /// port is 26379 if it is left out. Parameters: `client_name`, `db` (not in a cluster), `password_file`;
  /// `address_map`, a list of `announced=reachable` with commas in between, each `host[:port]`; with Sentinel
  /// `sentinel_username`, `sentinel_password` and `sentinel_password_file`; with TLS, which is for the sentinels as
  /// well, `ca_file`, `certificate_file`, `private_key_file`, `server_name` and `insecure_skip_verification=true`.
  /// Percent-encoding is decoded in every part, and needed for `/`, `?`, `#`, `%` and `@` in a user name or password.
  /// `invalid_argument` for any other scheme or parameter; the message never repeats a password.
  OBOL_EXPORT static Result<ConnectionOptions> from_uri(std::string_view uri);

  /// The URI that from_uri reads as these options, if they are valid; `sentinel.tls` is taken to be as `tls`. Without
  /// credentials it is fit for a log. A provider cannot be written and is left out.
  OBOL_EXPORT std::string to_uri(Credentials shown = Credentials::omitted) const;

  /// Equal in every member; for providers see CredentialsProvider::operator==.
  bool operator==(const ConnectionOptions&) const = default;
};

}  // namespace obol::inline v0
