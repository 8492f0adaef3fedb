// Sessions in Redis (8.0 or newer) or Valkey (9.0 or newer).
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "obol/finding.hpp"
#include "obol/redis_options.hpp"
#include "obol/session_store.hpp"

namespace obol::inline v0 {

/// Keeps sessions in Redis or Valkey: signed, expiring by themselves, one round trip a call. Movable; every call is
/// thread-safe, moving and destroying are not. A moved-from store may only be destroyed or assigned to. After a fork
/// the child opens connections of its own.
///
/// Besides the errors of SessionStore a call may fail with `pool_timeout`, `timeout`, `unavailable`, `auth`,
/// `permission`, `out_of_memory`, `unsupported_server`, `server`, `protocol` or `closed`. A call whose answer was lost
/// is repeated until Timeouts::total; that never counts twice, since every command is one that may be.
class RedisStore final : public SessionStore {
 public:
  /// Opens one connection, checks the server's version and loads the function library (or checks that it is there).
  /// Fails with `invalid_argument`, `unavailable`, `timeout`, `auth`, `permission`, `unsupported_server` or `server`.
  static Result<RedisStore> connect(RedisStoreOptions options);

  RedisStore(RedisStore&&) noexcept;
  RedisStore& operator=(RedisStore&&) noexcept;
  ~RedisStore() override;

  Result<std::optional<Session>> get(const SessionKey& key) override;
  std::expected<Upserted, UpsertError> upsert(Session& session) override;
  std::expected<void, UpsertError> rotate_id(Session& session) override;
  Result<Deleted> delete_one(const SessionKey& key) override;
  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override;
  Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override;
  Result<Deleted> delete_others(const SessionKey& keep) override;

  /// Looks at the server: its version and known faults of it, eviction, persistence, replication, clock, encryption,
  /// and whether this user may do what the store does. connect tells the observer the same. One round trip; changes
  /// nothing.
  Result<std::vector<Finding>> diagnose();

  /// From now on signs and verifies with this keyring; calls under way finish with the one they began with.
  /// Thread-safe. `invalid_argument` for an empty keyring.
  Result<void> replace_keyring(Keyring keyring);

  /// Ends the store for other threads: those that wait for a connection, and all later calls, fail with `closed`; calls
  /// under way finish. Thread-safe. The destructor does it too, and waits for them.
  void close();

 private:
  class Implementation;
  explicit RedisStore(std::unique_ptr<Implementation> implementation) noexcept;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace obol::inline v0
