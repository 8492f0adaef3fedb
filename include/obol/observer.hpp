// Events that stores and session managers report to their host. They contain no secrets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "obol/call_event.hpp"
#include "obol/error.hpp"
#include "obol/export.hpp"
#include "obol/finding.hpp"
#include "obol/verification_failure.hpp"

namespace obol { inline namespace v0 {

/// An event about one session. `id_hash` is session_id_hash(id), never the id.
struct SessionEvent {
  std::string id_hash{};           ///< Made by session_id_hash.
  std::string_view type{};         ///< The session type.
  std::uint64_t lock_version = 0;  ///< As stored now; for conflict and gone, as the caller sent it; 0 for deletes.
};

/// Several sessions were deleted by one call.
struct DeletedAllEvent {
  std::string_view type{};  ///< The session type.
  bool kept_one = false;    ///< True for delete_others.
};

/// The store's SessionPolicy refused a new session.
struct RefusedEvent {
  std::string id_hash{};                            ///< Made by session_id_hash.
  std::string_view type{};                          ///< The session type.
  ErrorCode reason = ErrorCode::too_many_sessions;  ///< `too_many_sessions` or `revoked`.
};

/// A refresh token was presented that had been replaced before: somebody else may have a copy of it.
struct TokenReusedEvent {
  std::string_view user_id{};  ///< Whose session it is, so that the user can be told.
  std::string id_hash{};       ///< Made by session_id_hash.
  std::string_view type{};     ///< The session type.
  bool session_ended = false;  ///< Whether the session was ended; see SessionManagerOptions::on_reuse.
};

/// A stored session failed verification.
struct VerificationFailedEvent {
  std::string id_hash{};                                        ///< Made by session_id_hash.
  std::string_view type{};                                      ///< The session type.
  VerificationFailure reason = VerificationFailure::malformed;  ///< What was wrong with it.
  /// Id of the key that the session names, made by printable_key_id; empty if it names none. Whoever can write to the
  /// server can name any key.
  std::string key_id{};
  bool is_key_known = false;  ///< Whether that key is in the keyring.
};

/// The function library, or the scripts in its place, were loaded into the server.
struct FunctionsLoadedEvent {
  std::string_view library{};  ///< Name of the library, which ends in the hash of its source.
};

/// A connection was opened or closed.
struct ConnectionEvent {
  std::string_view endpoint{};  ///< host:port, or the path of the socket.
  std::string_view server{};    ///< Kind and version, such as "Redis 8.0.6".
  std::string_view reason{};    ///< Why it was closed; empty if it was opened.
};

/// The near cache was switched on, or off because it no longer hears of changes.
struct NearCacheEvent {
  bool is_in_use = false;     ///< Whether it is used from now on.
  std::string_view reason{};  ///< Why it was switched off.
};

/// Receives events. Unless noted otherwise, the store calls it on the thread that made the call; an AsyncRedisStore, on
/// the thread in which the call's handler runs. It never holds a lock while it does. Functions must be thread-safe,
/// must not throw and should return quickly. Override those that you need. If there is no memory for an event, the
/// event is lost. ObserverList combines several observers.
class OBOL_EXPORT Observer {
 public:
  Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  virtual ~Observer() = default;

  virtual void on_call(const CallEvent&) noexcept {}          ///< Called last, after the call's other events.
  virtual void on_created(const SessionEvent&) noexcept {}    ///< A new session was stored.
  virtual void on_refreshed(const SessionEvent&) noexcept {}  ///< A stored session was replaced by its next version.
  /// A session got a new id; the hash is that of the new id.
  virtual void on_id_rotated(const SessionEvent&) noexcept {}
  /// A session was deleted to make room for a new one; lock version 0.
  virtual void on_evicted(const SessionEvent&) noexcept {}
  virtual void on_refused(const RefusedEvent&) noexcept {}  ///< The policy refused a new session.
  /// A delete was acknowledged; the session need not have existed.
  virtual void on_deleted(const SessionEvent&) noexcept {}
  virtual void on_deleted_all(const DeletedAllEvent&) noexcept {}  ///< delete_all or delete_others was acknowledged.
  virtual void on_conflict(const SessionEvent&) noexcept {}        ///< An upsert or rotate_id lost to another writer.
  virtual void on_gone(const SessionEvent&) noexcept {}  ///< An upsert or rotate_id found its session no longer stored.
  /// A stored session failed verification.
  virtual void on_verification_failed(const VerificationFailedEvent&) noexcept {}
  virtual void on_token_reused(const TokenReusedEvent&) noexcept {}  ///< Called by a SessionManager.
  virtual void on_finding(const Finding&) noexcept {}                ///< Called by connect: see RedisStore::diagnose.
  /// Called by connect, or when the server had lost the library.
  virtual void on_functions_loaded(const FunctionsLoadedEvent&) noexcept {}
  virtual void on_near_cache_changed(const NearCacheEvent&) noexcept {}  ///< Called on a thread of the store.
  /// Called on the thread that needed the connection.
  virtual void on_connection_opened(const ConnectionEvent&) noexcept {}
  /// Called with the reason: an error or a normal end.
  virtual void on_connection_closed(const ConnectionEvent&) noexcept {}
};

}}  // namespace obol::v0
