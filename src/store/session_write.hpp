// A session that is to be stored, and what it means if the server does not store it.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "near_cache/near_cache.hpp"
#include "obol/keyring.hpp"
#include "obol/session_store.hpp"
#include "sealing/sealing.hpp"
#include "store/operation.hpp"
#include "store/session_commands.hpp"

namespace obol { inline namespace v0 {

using WriteOutcome = std::expected<void, UpsertError>;

std::unexpected<UpsertError> upsert_failure(Error error);

/// What a write needs besides the session. The keyring must hold a key.
struct WriteContext {
  StoreContext store;
  Keyring keyring{};
  sealing::Randomness randomness{};
};

/// The part that all writes of a session have in common. The session is changed only once it is stored. Session and
/// outcome must outlive this.
class SessionWrite {
 public:
  SessionWrite(WriteContext context, Session& session, WriteOutcome& outcome);
  SessionWrite(const SessionWrite&) = delete;
  SessionWrite& operator=(const SessionWrite&) = delete;
  ~SessionWrite() = default;

  /// Seals the session as it shall be stored under that id, and asks to write it; nothing after a failure.
  std::optional<Request> begin(std::string_view id);

  Request request() const;
  SealedSession sealed(std::string_view id) const;
  std::uint64_t lock_version() const { return session_.lock_version + 1; }
  std::string_view stored_key() const { return stored_key_.view(); }
  const SessionPolicy& policy() const { return options_.policy; }
  Session& session() { return session_; }
  const Session& session() const { return session_; }

  /// The session was stored, unless the server's clock says that it had expired by then.
  void store_unless(bool is_past);

  /// Takes the reply to an update or a rotation; true if it was stored.
  bool take_replaced(const Answer& answer);

  /// What stands is our own write, whose answer was lost, or somebody else's.
  void compare(std::optional<std::string_view> standing, Now now);

  void lose_to(std::optional<std::string_view> winner, Now now);
  void fail(UpsertError error) { outcome_ = std::unexpected(std::move(error)); }
  void fail(Error error) { outcome_ = upsert_failure(std::move(error)); }
  void fail_as_expired();

 private:
  const RedisStoreOptions& options_;
  NearCache* const cache_;
  const Keyring keyring_;
  const sealing::Randomness randomness_;
  Session& session_;
  WriteOutcome& outcome_;
  const StoredKey stored_key_;
  std::optional<Invalidation> invalidation_{};
  std::string sealed_{};
};

}}  // namespace obol::v0
