// Everything a RedisStore can be told: where the server is, the pool, the time-outs, the keys.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "obol/clock.hpp"
#include "obol/encryption.hpp"
#include "obol/error.hpp"
#include "obol/keyring.hpp"
#include "obol/observer.hpp"
#include "obol/session_limits.hpp"
#include "obol/session_policy.hpp"

namespace obol::inline v0 {

/// TLS 1.2 or newer. The server's certificate and name are always checked; there is no switch to skip the name alone.
/// Files are PEM; one that changes is loaded again for the connections that follow.
struct TlsOptions {
  bool enabled = false;
  std::string ca_file{};                    ///< Authorities to trust; empty: the system's.
  std::string certificate_file{};           ///< Our own certificate and its chain, where the server asks for one.
  std::string private_key_file{};           ///< Its key, without a passphrase; set both or neither.
  std::string server_name{};                ///< The name the certificate must bear; empty: ConnectionOptions::host.
  bool insecure_skip_verification = false;  ///< Accepts any certificate: whoever sits on the network reads everything.
};

/// Where the server is and who we are to it.
struct ConnectionOptions {
  std::string host = "localhost";  ///< A name or an IP address; every address of a name is tried.
  std::uint16_t port = 6379;
  std::string unix_socket{};         ///< Path of a unix socket; where set, host and port are not used.
  std::string username{};            ///< ACL user; empty: "default".
  std::string password{};            ///< Empty: no AUTH is sent.
  std::uint32_t database = 0;        ///< SELECTed on each connection; more than 0 needs +select.
  TlsOptions tls{};                  ///< Not for a unix socket.
  std::string client_name = "obol";  ///< Shown by CLIENT LIST; printable ASCII without spaces; empty: none.

  /// Reads `redis://[user[:password]@]host[:port][/database]`, the same with `rediss://` for TLS, or
  /// `unix://[user[:password]@]/path`, each with optional `?client_name=NAME` and `?db=N`; with `rediss://` also
  /// `ca_file`, `certificate_file`, `private_key_file`, `server_name` and `insecure_skip_verification=true`.
  /// Percent-encoding is decoded in every part. `invalid_argument` for any other scheme or parameter; the message never
  /// repeats the password.
  static Result<ConnectionOptions> from_uri(std::string_view uri);
};

/// How many connections there are and how long they live. Durations must be positive.
struct PoolOptions {
  std::size_t size = 10;                             ///< Connections kept open; at least 1.
  std::size_t max_overflow = 5;                      ///< More that are opened under load and closed when nobody waits.
  std::chrono::milliseconds checkout_timeout{5000};  ///< How long a call waits for a connection.
  std::chrono::milliseconds idle_limit{300'000};     ///< A connection unused for longer is replaced.
  std::chrono::milliseconds lifetime_limit{
      3'600'000};  ///< One older than this is replaced (less up to 10 %, at random).
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

/// Options of a RedisStore. Only `keyring` has no usable default.
struct RedisStoreOptions {
  ConnectionOptions connection{};
  PoolOptions pool{};
  Timeouts timeouts{};
  std::string key_prefix = "obol_";  ///< Begins every key; 0 to 64 bytes, no braces.
  Keyring keyring{};
  Encryption encryption = Encryption::off;  ///< Of what is stored; see docs/operations.md for the way there.
  SessionPolicy policy{};
  DeleteDurability delete_durability{};
  FunctionLoading functions = FunctionLoading::load_at_connect;
  std::size_t maximum_payload_bytes = default_maximum_payload_bytes;  ///< Of Session::extra_payload.
  std::size_t maximum_reply_bytes = std::size_t{64} * 1024 * 1024;    ///< A larger reply is refused with `too_large`.
  std::shared_ptr<Observer> observer{};                               ///< May be null.
  Clock clock = system_clock();  ///< Judges expiry on our side; the server has its own.
};

}  // namespace obol::inline v0
