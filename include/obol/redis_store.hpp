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

namespace obol::inline v0 {

/// Keeps sessions in Redis or Valkey: signed, expiring by themselves, one round trip a call. Every call is thread-safe.
/// The destructor waits for calls under way, with all that they tell the observer; no call may begin after it has
/// begun, and an observer must not destroy its store. Movable, but not while another thread uses the store. A
/// moved-from store may only be destroyed or assigned to. After a fork the child opens connections of its own.
///
/// Besides the errors of SessionStore a call may fail with `pool_timeout`, `timeout`, `unavailable`, `auth`,
/// `permission`, `tls`, `out_of_memory`, `unsupported_server`, `server`, `protocol` or `closed`. A call whose answer
/// was lost is repeated until Timeouts::total; that never counts twice, since every command is one that may be.
///
/// Errors are values. If the process has no memory, a call throws std::bad_alloc: whether the server acted is not known
/// then, as with `timeout`. The store, its connections and the calls of other threads take no harm. close() and the
/// destructor need no memory.
class OBOL_EXPORT RedisStore final : public SessionStore {
 public:
  /// Opens one connection, checks the server's version and loads the function library (or checks that it is there).
  /// Fails with `invalid_argument`, `unavailable`, `timeout`, `auth`, `permission`, `tls`, `protocol`, `out_of_memory`,
  /// `unsupported_server` or `server`.
  static Result<RedisStore> connect(RedisStoreOptions options);

  /// Not while another thread uses either store.
  RedisStore(RedisStore&&) noexcept;
  /// Destroys the store that was here; not while another thread uses either.
  RedisStore& operator=(RedisStore&&) noexcept;
  ~RedisStore() override;

  Result<std::optional<Session>> get(const SessionKey& key) override;
  /// In one round trip for each thousand keys.
  Result<std::vector<std::optional<Session>>> get_many(std::span<const SessionKey> keys) override;
  std::expected<Upserted, UpsertError> upsert(Session& session) override;
  std::expected<void, UpsertError> rotate_id(Session& session) override;
  Result<Deleted> delete_one(const SessionKey& key) override;
  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override;
  Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override;
  Result<Deleted> delete_others(const SessionKey& keep) override;

  /// get for what may be some moments old, such as a page that shows devices: a replica may answer, where
  /// RedisStoreOptions::replica_reads is enabled. Nothing to change or to trust a session by. The near cache takes no
  /// part.
  Result<std::optional<Session>> get_from_replica(const SessionKey& key);

  /// get_all, in the same way.
  Result<std::vector<Session>> get_all_from_replica(std::string_view user_id, std::string_view type);

  /// Looks at the server: its version and known faults of it, eviction, persistence, replication, clock, encryption,
  /// and whether this user may do what the store does. connect tells the observer the same. One round trip; changes
  /// nothing.
  Result<std::vector<Finding>> diagnose();

  /// Cheap; thread-safe.
  PoolStatistics pool_statistics() const;

  /// All zero where the near cache is off.
  NearCacheStatistics near_cache_statistics() const;

  /// Both, for whoever may outlive the store, such as a metrics endpoint: may be called at any time, also while the
  /// store is moved or destroyed.
  StatisticsSource statistics_source() const;

  /// From now on signs and verifies with this keyring; calls under way finish with the one they began with.
  /// Thread-safe. `invalid_argument`, and the old one stays in use, for an empty keyring and for one with a different
  /// key of an id that the old one holds, since that would log everybody out whose session the old key signed.
  Result<void> replace_keyring(Keyring keyring);

  /// From now on the servers are given these, whatever the options say of user and password: by new connections, and by
  /// living ones in front of their next command. Calls under way are not disturbed. If a server refuses them, its
  /// living connections stay who they were and try again later, so this may be called before the server knows the new
  /// password; only new connections fail meanwhile. Returns at once. Thread-safe. `invalid_argument` if both name and
  /// password are empty.
  Result<void> replace_credentials(UserCredentials credentials);

  /// The same for the sentinels. `invalid_argument` without ConnectionOptions::sentinel, too.
  Result<void> replace_sentinel_credentials(UserCredentials credentials);

  /// Ends the store for all threads: those that wait for a connection, and all later calls, fail with `closed`; calls
  /// under way finish, and it does not wait for them. Thread-safe.
  void close();

 private:
  class Implementation;
  explicit RedisStore(std::unique_ptr<Implementation> implementation) noexcept;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace obol::inline v0
