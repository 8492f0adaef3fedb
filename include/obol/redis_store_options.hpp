// Everything that a RedisStore can be configured with.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "obol/clock.hpp"
#include "obol/connection_options.hpp"
#include "obol/encryption.hpp"
#include "obol/function_loading.hpp"
#include "obol/keyring.hpp"
#include "obol/near_cache_options.hpp"
#include "obol/observer.hpp"
#include "obol/pool_options.hpp"
#include "obol/replica_reads.hpp"
#include "obol/session_limits.hpp"
#include "obol/session_policy.hpp"
#include "obol/timeouts.hpp"

namespace obol::inline v0 {

/// How safe a delete is when it is acknowledged. A fail-over may bring back a session whose delete no replica had.
/// Source: https://redis.io/docs/latest/commands/wait/
struct DeleteDurability {
  std::size_t replicas = 0;  ///< Deletes wait until so many replicas have them; Deleted tells how many had. 0: no wait.
  std::chrono::milliseconds timeout{500};  ///< The longest wait; less than Timeouts::command.
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
  ReplicaReads replica_reads{};  ///< Whether `get_from_replica` and `get_all_from_replica` may answer from replicas.
  FunctionLoading functions = FunctionLoading::load_at_connect;  ///< Who loads the function library.
  std::size_t max_payload_bytes = default_max_payload_bytes;     ///< Of Session::extra_payload.
  /// What one reply may cost; a dearer one is refused with `too_large`, and its connection is closed. It costs the
  /// bytes that are received and 64 for each element that it announces (two for each session of a `get_all`). What
  /// the server sends unasked in front of one reply may cost as much. While a reply is read, its bytes are in memory up
  /// to four times.
  /// Must hold the sessions that SessionPolicy::max_sessions allows, at max_payload_bytes and 4 KiB each.
  std::size_t max_reply_bytes = std::size_t{64} * 1024 * 1024;
  std::shared_ptr<Observer> observer{};  ///< May be null.
  Clock clock = system_clock();          ///< Judges expiry on our side; the server has its own.
};

}  // namespace obol::inline v0
