// Where the server is and how to authenticate; can be read from and written as a URI.
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

namespace obol { inline namespace v0 {

/// A primary that Redis Sentinel monitors. Before each connection the sentinels are asked which server is the primary;
/// the first that answers is asked first the next time.
/// Source: https://redis.io/docs/latest/develop/reference/sentinel-clients/
struct SentinelOptions {
  std::string primary_name{};              ///< As in `sentinel monitor <name> ...`; empty: no Sentinel.
  std::vector<ServerAddress> sentinels{};  ///< The sentinels of that primary; at least one.
  std::string username{};                  ///< ACL user on the sentinels; empty means "default".
  std::string password{};                  ///< For the sentinels; like ConnectionOptions::password.
  std::string password_file{};             ///< For the sentinels; like ConnectionOptions::password_file.
  CredentialsProvider credentials{};       ///< For the sentinels; like ConnectionOptions::credentials.
  TlsOptions tls{};                        ///< TLS of connections to the sentinels.

  /// True if all members are equal.
  bool operator==(const SentinelOptions&) const = default;
};

/// A Redis Cluster or Valkey Cluster. A user's sessions are all on one primary. Each primary has its own pool.
/// Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
struct ClusterOptions {
  std::vector<ServerAddress> seeds{};  ///< Any nodes of the cluster; they are asked for all others. Empty: no cluster.

  /// True if all members are equal.
  bool operator==(const ClusterOptions&) const = default;
};

/// Where a server that announces one address can be reached from here, for example through a forwarded port, a tunnel
/// or the host of a container.
struct AddressMapping {
  ServerAddress announced{};  ///< The host exactly as it is announced, or "*" for every host; port 0: every port.
  ServerAddress reachable{};  ///< Host "*" and port 0: as announced.

  /// True if all members are equal.
  bool operator==(const AddressMapping&) const = default;
};

/// Whether a written URI contains user names and passwords.
enum class Credentials {
  omitted,   ///< They are left out: the URI can be logged.
  included,  ///< They are written: the URI is a secret.
};

/// Where the server is and how to authenticate. With `sentinel` or `cluster`, host and port are not used; all other
/// members apply to every server.
struct ConnectionOptions {
  std::string host = "localhost";  ///< A name or an IP address; all addresses of a name are tried.
  std::uint16_t port = 6379;       ///< TCP port, plain or TLS; 1 to 65535.
  std::string unix_socket{};       ///< Path of a unix socket; if set, host and port are not used.
  std::string username{};          ///< ACL user; empty means "default".
  /// Empty: no AUTH is sent unless a username is set, which is then a user that needs no password.
  std::string password{};

  /// A file that contains only the password and at most one line end after it; used instead of `password`. It is read
  /// again for each connection, so a replaced file takes effect with the next one.
  std::string password_file{};

  /// Called for each connection; used instead of `username`, `password` and `password_file`.
  CredentialsProvider credentials{};
  std::uint32_t database = 0;        ///< SELECTed on each connection; more than 0 needs +select. A cluster has only 0.
  TlsOptions tls{};                  ///< Not supported on a unix socket.
  std::string client_name = "obol";  ///< Shown by CLIENT LIST; printable ASCII without spaces; empty: no name.
  SentinelOptions sentinel{};        ///< Sentinels to ask for the primary; unset: none.
  ClusterOptions cluster{};          ///< Set if the server is part of a cluster.

  /// Maps addresses that are announced by a cluster, by sentinels, or by a primary for its replicas; the first matching
  /// entry is used. With TLS the certificate must contain the reachable name or address, or `tls.server_name`.
  std::vector<AddressMapping> address_map{};

  /// Parses a URI of one of these forms:
  ///
  ///     redis://[user[:password]@]host[:port][/database]
  ///     redis+sentinel://[user[:password]@]host[:port][,host[:port]...]/primary_name[/database]
  ///     redis+cluster://[user[:password]@]host[:port][,host[:port]...]
  ///     unix://[user[:password]@]/path
  ///
  /// `rediss` instead of `redis` enables TLS. `valkey` and `valkeys` mean the same as `redis` and `rediss`. Schemes are
  /// not case-sensitive. User and password are those of the servers; `user:@` is a user that needs no password. The
  /// default port is 6379, and 26379 for sentinels.
  ///
  /// Parameters: `client_name`, `db` (not in a cluster), `password_file`; `address_map`, a list of
  /// `announced=reachable` separated by commas, each `host[:port]`; with Sentinel `sentinel_username`,
  /// `sentinel_password` and `sentinel_password_file`; with TLS, which then applies to the sentinels too, `ca_file`,
  /// `certificate_file`, `private_key_file`, `server_name` and `insecure_skip_verification=true`. Percent-encoding is
  /// decoded everywhere, and required for `/`, `?`, `#`, `%` and `@` in a user name or password.
  ///
  /// Fails with `invalid_argument` for any other scheme or parameter; the message never repeats a password.
  OBOL_EXPORT static Result<ConnectionOptions> from_uri(std::string_view uri);

  /// Returns a URI that from_uri parses to these options, if they are valid; assumes that `sentinel.tls` equals `tls`.
  /// Without credentials the URI can be logged. A provider cannot be written and is left out.
  OBOL_EXPORT std::string to_uri(Credentials shown = Credentials::omitted) const;

  /// True if all members are equal; for providers see CredentialsProvider::operator==.
  bool operator==(const ConnectionOptions&) const = default;
};

}}  // namespace obol::v0
