// Sessions in Redis (8.0 or newer) or Valkey (9.0 or newer).
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "obol/export.hpp"
#include "obol/finding.hpp"
#include "obol/redis_store_options.hpp"
#include "obol/session_store.hpp"
#include "obol/store_statistics.hpp"

namespace obol { inline namespace v0 {

/// Stores sessions in Redis or Valkey: signed, expiring by themselves, with one round trip per call. Every call is
/// thread-safe. The destructor waits for calls in progress, including the events they report; no call may begin after
/// the destructor has begun, and an observer must not destroy its store. Movable, but not while another thread uses the
/// store. A moved-from store may only be destroyed or assigned to. After a fork the child opens its own connections.
///
/// Besides the errors of SessionStore a call may fail with `pool_timeout`, `timeout`, `unavailable`, `auth`,
/// `permission`, `tls`, `out_of_memory`, `unsupported_server`, `server`, `protocol` or `closed`. A call whose answer
/// was lost is repeated until Timeouts::total. Repeating is safe: no command takes effect twice.
///
/// Errors are values. If the process is out of memory, a call throws std::bad_alloc; as with `timeout`, it is then not
/// known whether the server acted. The store, its connections and the calls of other threads are not affected. close()
/// and the destructor need no memory.
class OBOL_EXPORT RedisStore final : public SessionStore {
 public:
  /// Opens one connection, checks the server's version and loads the function library (or checks that it is loaded).
  /// Fails with `invalid_argument`, `unavailable`, `timeout`, `auth`, `permission`, `tls`, `protocol`, `out_of_memory`,
  /// `unsupported_server` or `server`.
  [[nodiscard]] static Result<RedisStore> connect(RedisStoreOptions options);

  /// Leaves a store that may only be destroyed or assigned to. Not thread-safe: no other thread may be using either
  /// store.
  RedisStore(RedisStore&&) noexcept;
  /// Destroys the current store. Not thread-safe: no other thread may be using either store.
  RedisStore& operator=(RedisStore&&) noexcept;
  ~RedisStore() override;

  [[nodiscard]] Result<std::optional<Session>> get(const SessionKey& key) override;
  /// Makes one round trip per thousand keys.
  [[nodiscard]] Result<std::vector<std::optional<Session>>> get_many(std::span<const SessionKey> keys) override;
  [[nodiscard]] std::expected<Upserted, UpsertError> upsert(Session& session) override;
  [[nodiscard]] std::expected<void, UpsertError> rotate_id(Session& session) override;
  [[nodiscard]] Result<Deleted> delete_one(const SessionKey& key) override;
  [[nodiscard]] Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override;
  using SessionStore::delete_all;
  [[nodiscard]] Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override;
  [[nodiscard]] Result<Deleted> delete_all(std::string_view user_id, std::span<const std::string> types) override;
  [[nodiscard]] Result<Deleted> delete_others(const SessionKey& keep) override;

  /// Like get(), but a replica may answer if RedisStoreOptions::replica_reads is enabled, so the result may be slightly
  /// stale. For display only; never authorise or update from it. Bypasses the near cache.
  [[nodiscard]] Result<std::optional<Session>> get_from_replica(const SessionKey& key);

  /// Like get_all(), with the same restrictions as get_from_replica().
  [[nodiscard]] Result<std::vector<Session>> get_all_from_replica(std::string_view user_id, std::string_view type);

  /// Checks the server: its version and known faults, eviction, persistence, replication, clock and encryption, and
  /// whether this user may do what the store does. connect reports the same findings to the observer. Makes one round
  /// trip and changes nothing.
  [[nodiscard]] Result<std::vector<Finding>> diagnose();

  /// Returns statistics of the connections. Cheap. Thread-safe.
  PoolStatistics pool_statistics() const;

  /// Returns statistics of the near cache; all zero if it is off.
  NearCacheStatistics near_cache_statistics() const;

  /// Returns a callable that samples both statistics, for example for a metrics endpoint. It may outlive the store and
  /// may be called at any time, also while the store is moved or destroyed.
  StatisticsSource statistics_source() const;

  /// Signs and verifies with this keyring from now on; calls in progress finish with the keyring they began with.
  /// Thread-safe. Fails with `invalid_argument`, and keeps the old keyring, if the new one is empty or contains a
  /// different key under an id that the old one contains, since sessions signed by the old key would then no longer
  /// verify.
  [[nodiscard]] Result<void> replace_keyring(Keyring keyring);

  /// Replaces the user and password of the options. New connections use the new ones from now on, and open connections
  /// send them before their next command. Calls in progress are not disturbed. If a server refuses them, its open
  /// connections keep their user and try again later, so this may be called before the server knows the new password;
  /// until then only new connections fail. Returns at once. Thread-safe. Fails with `invalid_argument` if both name and
  /// password are empty.
  [[nodiscard]] Result<void> replace_credentials(UserCredentials credentials);

  /// Does the same for the sentinels. Also fails with `invalid_argument` if ConnectionOptions::sentinel is not set.
  [[nodiscard]] Result<void> replace_sentinel_credentials(UserCredentials credentials);

  /// Closes the store for all threads: calls that wait for a connection and all later calls fail with `closed`. Calls
  /// in progress finish; this function does not wait for them. Thread-safe.
  void close();

 private:
  class Implementation;
  explicit RedisStore(std::unique_ptr<Implementation> implementation) noexcept;
  std::unique_ptr<Implementation> implementation_;
};

}}  // namespace obol::v0
