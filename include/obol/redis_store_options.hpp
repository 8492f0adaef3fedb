// All options of a RedisStore.
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

namespace obol { inline namespace v0 {

/// How durable an acknowledged delete is. A failover may bring back a session whose delete had not reached the new
/// primary.
/// Source: https://redis.io/docs/latest/commands/wait/
struct DeleteDurability {
  /// Deletes wait until this many replicas have them; Deleted says how many had. 0: do not wait.
  std::size_t replicas = 0;
  std::chrono::milliseconds timeout{500};  ///< Longest wait; less than Timeouts::command.
};

/// Options of a RedisStore. Only `keyring` has no usable default.
struct RedisStoreOptions {
  ConnectionOptions connection{};    ///< Where the server is.
  PoolOptions pool{};                ///< Number and lifetime of connections.
  Timeouts timeouts{};               ///< Time limits of a call.
  std::string key_prefix = "obol_";  ///< Prefix of every key; 0 to 64 bytes, no braces.
  Keyring keyring{};                 ///< Keys that sign and verify; the only member that must be set.
  /// Whether stored sessions are encrypted; docs/operations.md says how to introduce it.
  Encryption encryption = Encryption::off;
  /// How many sessions a user may have, and whether "log out everywhere" stops logins in progress.
  SessionPolicy policy{};
  DeleteDurability delete_durability{};  ///< Whether deletes wait for replicas.
  NearCacheOptions near_cache{};         ///< Whether `get` may answer from the memory of this process.
  ReplicaReads replica_reads{};  ///< Whether `get_from_replica` and `get_all_from_replica` may answer from replicas.
  FunctionLoading functions = FunctionLoading::load_at_connect;  ///< Who loads the function library.
  std::size_t max_payload_bytes = default_max_payload_bytes;     ///< Longest Session::extra_payload.
  /// Upper bound on the cost of one reply. A larger one is refused with `too_large`, and its connection is closed. A
  /// reply costs the bytes that are received, plus 64 for each element that it announces (two elements for each session
  /// of a `get_all`). Unsolicited messages of the server before one reply may cost as much. While a reply is read, its
  /// bytes are in memory up to four times. Must be large enough for the sessions that SessionPolicy::max_sessions
  /// allows, at max_payload_bytes plus 4 KiB each.
  std::size_t max_reply_bytes = std::size_t{64} * 1024 * 1024;
  std::shared_ptr<Observer> observer{};  ///< May be null.
  /// Decides whether a session has expired on this side; the server uses its own clock. Must not throw. Is called in
  /// any thread that calls the store, at the same time; for an asynchronous store also in the thread that drives it and
  /// in those of executors.
  Clock clock = system_clock();
};

}}  // namespace obol::v0
