// Sessions in Redis or Valkey, for programs that run on an event loop.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "obol/async_session_store.hpp"
#include "obol/export.hpp"
#include "obol/finding.hpp"
#include "obol/redis_store_options.hpp"
#include "obol/store_statistics.hpp"

namespace obol { inline namespace v0 {

/// RedisStore without waiting: the same options, storage, guarantees and errors. All calls of one round of the event
/// loop go out in one send, over one connection to each primary; further connections are opened for deletes that wait
/// for replicas and for calls that are repeated alone. A connection is opened in a thread of its own. An observer is
/// told of a call in the thread in which its handler runs, before that.
///
/// If nobody drives the store, no call ends; see AsyncSessionStore, also for its destructor. The destructor ends all
/// calls with `closed`, runs their handlers in its thread or posts them to their executors, and waits for no server. It
/// must not run inside a handler of the same store, nor while another thread begins a call or drives the store. In a
/// forked child every call fails with `closed`. Movable under the same conditions. A moved-from store may only be
/// destroyed or assigned to.
class OBOL_EXPORT AsyncRedisStore final : public AsyncSessionStore {
 public:
  /// Does what RedisStore::connect does, and blocks as that does.
  static Result<AsyncRedisStore> connect(RedisStoreOptions options);

  /// Leaves a store that may only be destroyed or assigned to.
  AsyncRedisStore(AsyncRedisStore&&) noexcept;
  /// The same; ends the calls of this store as the destructor does.
  AsyncRedisStore& operator=(AsyncRedisStore&&) noexcept;
  ~AsyncRedisStore() override;

  /// Returns a store for another event loop: with its own connections, and the same keyring, credentials, near cache,
  /// knowledge of the servers and retry budget. Each may outlive the other. Thread-safe. `closed` if this one is.
  Result<AsyncRedisStore> another() const;

  AsyncCall<Result<std::optional<Session>>> get(SessionKey key, CallOptions options = {}) override;
  AsyncCall<Result<std::vector<std::optional<Session>>>> get_many(std::vector<SessionKey> keys,
                                                                  CallOptions options = {}) override;
  AsyncCall<std::expected<UpsertedSession, UpsertError>> upsert(Session session, CallOptions options = {}) override;
  AsyncCall<std::expected<Session, UpsertError>> rotate_id(Session session, CallOptions options = {}) override;
  AsyncCall<Result<Deleted>> delete_one(SessionKey key, CallOptions options = {}) override;
  AsyncCall<Result<std::vector<Session>>> get_all(std::string user_id, std::string type,
                                                  CallOptions options = {}) override;
  using AsyncSessionStore::delete_all;
  AsyncCall<Result<Deleted>> delete_all(std::string user_id, std::string type, CallOptions options = {}) override;
  AsyncCall<Result<Deleted>> delete_all(std::string user_id, std::vector<std::string> types,
                                        CallOptions options = {}) override;
  AsyncCall<Result<Deleted>> delete_others(SessionKey keep, CallOptions options = {}) override;

  /// See RedisStore::get_from_replica.
  AsyncCall<Result<std::optional<Session>>> get_from_replica(SessionKey key, CallOptions options = {});
  /// See RedisStore::get_all_from_replica.
  AsyncCall<Result<std::vector<Session>>> get_all_from_replica(std::string user_id, std::string type,
                                                               CallOptions options = {});
  /// See RedisStore::diagnose. Asks in a thread of its own. Cannot be cancelled.
  AsyncCall<Result<std::vector<Finding>>> diagnose(CallOptions options = {});

  int descriptor() const override;
  void run_ready() override;
  void post(Completion& ended, Executor* executor) noexcept override;

  /// Returns statistics of this store's connections and calls. Some differ from those of a RedisStore: `opened` and
  /// `failed` count for all stores made by another() together, and `maximum` counts the servers that this store has
  /// called, replicas included, and is at least 2 for each. A connection that is being replaced counts as used until
  /// its last reply, so `used` may exceed `maximum` for moments. Thread-safe.
  PoolStatistics pool_statistics() const;
  /// Returns statistics of the near cache, which all stores made by another() share. Thread-safe.
  NearCacheStatistics near_cache_statistics() const;
  /// See RedisStore::statistics_source. Thread-safe.
  StatisticsSource statistics_source() const;

  /// See RedisStore::replace_keyring; for all stores made by another(). Thread-safe.
  Result<void> replace_keyring(Keyring keyring);
  /// See RedisStore::replace_credentials; for all stores made by another(). Thread-safe.
  Result<void> replace_credentials(UserCredentials credentials);
  /// See RedisStore::replace_sentinel_credentials; for all stores made by another(). Thread-safe.
  Result<void> replace_sentinel_credentials(UserCredentials credentials);

  /// Closes this store, not those made by another(): calls that were not sent and all later ones end with `closed`,
  /// those in flight finish or time out. Returns at once; the store must still be driven until closed() for that.
  /// Thread-safe.
  void close();

  /// True if close() was called, every call has ended, and the handler of each has run or was posted to its executor.
  /// So it is false inside a handler that run_ready() runs, and again after a call was begun with a handler, until that
  /// is told `closed`. Thread-safe.
  bool closed() const;

 private:
  class Implementation;
  explicit AsyncRedisStore(std::unique_ptr<Implementation> implementation) noexcept;
  std::unique_ptr<Implementation> implementation_;
};

}}  // namespace obol::v0
