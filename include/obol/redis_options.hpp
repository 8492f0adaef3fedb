// Everything a RedisStore can be told: where the server is, the pool, the time-outs, the keys.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "obol/clock.hpp"
#include "obol/encryption.hpp"
#include "obol/error.hpp"
#include "obol/export.hpp"
#include "obol/keyring.hpp"
#include "obol/near_cache.hpp"
#include "obol/observer.hpp"
#include "obol/session_limits.hpp"
#include "obol/session_policy.hpp"
#include "obol/user_credentials.hpp"

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

/// Where a server listens.
struct ServerAddress {
  std::string host{};         ///< A name or an IP address.
  std::uint16_t port = 6379;  ///< Of TCP; 1 to 65535.

  /// Equal in every member.
  bool operator==(const ServerAddress&) const = default;
};

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

/// How many connections there are and how long they live. They are opened as they are needed; calls that find none free
/// share the next one, so a few serve many threads. Durations must be positive.
struct PoolOptions {
  std::size_t size = 10;                 ///< Connections that stay open; at least 1.
  std::size_t max_overflow = 5;          ///< More that are opened under load and closed when they are no longer used.
  std::size_t maximum_waiting = 10'000;  ///< Calls that may wait at once; one more fails with `pool_timeout`.
  std::chrono::milliseconds checkout_timeout{5000};  ///< How long a call waits for a connection.
  std::chrono::milliseconds idle_limit{300'000};     ///< A connection unused for longer is replaced.
  std::chrono::milliseconds lifetime_limit{
      3'600'000};  ///< One older than this is replaced (less up to 10 %, at random).

  /// Near a server, a call looks for its answer for so long before it sleeps, letting other threads run in between:
  /// that takes less time, and less processor time, than to sleep and to be woken. Elsewhere it soon stops trying. 0:
  /// never.
  std::chrono::microseconds busy_wait{50};
};

/// How long things may take. All must be positive; each call ends by `total`, whatever happens.
struct Timeouts {
  std::chrono::milliseconds connect{1000};  ///< To open a connection and introduce ourselves.
  std::chrono::milliseconds command{1000};  ///< One command, from the first byte sent to the last received.
  std::chrono::milliseconds total{5000};    ///< A whole call: waiting, connecting, commands, repeats.
};

/// Where the function library comes from.
enum class FunctionLoading {
  load_at_connect,  ///< The store loads it at connect, and again where the server has lost it. Needs +function|load.
  require_loaded,   ///< Somebody else loads it (docs/operations.md); connect fails where it is missing.
};

/// How safe a delete is when it is acknowledged. A fail-over may bring back a session whose delete no replica had.
/// Source: https://redis.io/docs/latest/commands/wait/
struct DeleteDurability {
  std::size_t replicas = 0;  ///< Deletes wait until so many replicas have them; Deleted tells how many had. 0: no wait.
  std::chrono::milliseconds timeout{500};  ///< The longest wait; less than Timeouts::command.
};

/// RedisStore::peek and peek_all may ask a replica, which lacks what was written in the last moments: a session that
/// has just been logged out may still be seen. No other call does, so what a refresh begins with is always the latest.
/// The primary is asked once a second which replicas it has, for which the user needs `+info`. Where none can answer,
/// the primary does.
struct ReplicaReads {
  bool enabled = false;                 ///< Where not, the primary answers.
  std::chrono::seconds maximum_lag{5};  ///< A replica that was silent for longer is not asked; 2 or more.
};

/// Options of a RedisStore. Only `keyring` has no usable default.
struct RedisStoreOptions {
  ConnectionOptions connection{};           ///< Where the server is.
  PoolOptions pool{};                       ///< How many connections, and for how long.
  Timeouts timeouts{};                      ///< How long a call may take.
  std::string key_prefix = "obol_";         ///< Begins every key; 0 to 64 bytes, no braces.
  Keyring keyring{};                        ///< The keys that sign and verify; the only member that must be set.
  Encryption encryption = Encryption::off;  ///< Of what is stored; see docs/operations.md for the way there.
  SessionPolicy policy{};                   ///< How many sessions a user may have; logins during a logout everywhere.
  DeleteDurability delete_durability{};     ///< Whether deletes wait for replicas.
  NearCacheOptions near_cache{};            ///< Whether `get` may answer from this process's memory.
  ReplicaReads replica_reads{};             ///< Whether `peek` and `peek_all` may answer from replicas.
  FunctionLoading functions = FunctionLoading::load_at_connect;       ///< Who loads the function library.
  std::size_t maximum_payload_bytes = default_maximum_payload_bytes;  ///< Of Session::extra_payload.
  /// What one reply may cost; a dearer one is refused with `too_large`, and its connection is closed. It costs the
  /// bytes that are received and 64 for each element that it announces (two for each session of a `get_all`). What
  /// the server sends unasked in front of one reply may cost as much. While a reply is read, its bytes are in memory up
  /// to four times.
  /// Must hold the sessions that SessionPolicy::maximum_sessions allows, at maximum_payload_bytes and 4 KiB each.
  std::size_t maximum_reply_bytes = std::size_t{64} * 1024 * 1024;
  std::shared_ptr<Observer> observer{};  ///< May be null.
  Clock clock = system_clock();          ///< Judges expiry on our side; the server has its own.
};

}  // namespace obol::inline v0
