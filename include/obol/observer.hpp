// What a store tells its host while it works: one interface, no secrets in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "obol/call_event.hpp"
#include "obol/error.hpp"
#include "obol/export.hpp"
#include "obol/finding.hpp"
#include "obol/verification_failure.hpp"

namespace obol::inline v0 {

/// A session that something happened to. `id_hash` is session_id_hash(id): never the id.
struct SessionEvent {
  std::string id_hash{};           ///< By session_id_hash.
  std::string_view type{};         ///< The session type.
  std::uint64_t lock_version = 0;  ///< As stored now; for conflict and gone, as the caller sent it; 0 for deletes.
};

/// Sessions that were deleted together.
struct DeletedAllEvent {
  std::string_view type{};  ///< The session type.
  bool kept_one = false;    ///< By delete_others.
};

/// A new session that the store's SessionPolicy did not let in.
struct RefusedEvent {
  std::string id_hash{};                            ///< By session_id_hash.
  std::string_view type{};                          ///< The session type.
  ErrorCode reason = ErrorCode::too_many_sessions;  ///< Or `revoked`.
};

/// A stored session that was not accepted.
struct VerificationFailedEvent {
  std::string id_hash{};                                        ///< By session_id_hash.
  std::string_view type{};                                      ///< The session type.
  VerificationFailure reason = VerificationFailure::malformed;  ///< What was wrong with it.
  /// The key that it names, by printable_key_id; whoever writes to the server can name any. Empty where it names none.
  std::string key_id{};
  bool is_key_known = false;  ///< That key is in the keyring.
};

/// The function library was loaded into the server.
struct FunctionsLoadedEvent {
  std::string_view library{};  ///< Its name, which ends in the hash of its source.
};

/// A connection was opened or closed.
struct ConnectionEvent {
  std::string_view endpoint{};  ///< host:port or the socket's path.
  std::string_view server{};    ///< Kind and version, such as "Redis 8.0.6".
  std::string_view reason{};    ///< Why it was closed; empty for opened.
};

/// The near cache came into use, or went out of it because changes are no longer heard of.
struct NearCacheEvent {
  bool is_in_use = false;     ///< From now on.
  std::string_view reason{};  ///< Why it went out of use.
};

/// Receives events. The store calls it from the thread that made the call, never while it holds a lock; it must be safe
/// to call from many threads, must not throw, and should be quick. An event that there is no memory for is not told.
/// Override what is of interest. ObserverList makes one of several.
class OBOL_EXPORT Observer {
 public:
  Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  virtual ~Observer() = default;

  virtual void on_call(const CallEvent&) noexcept {}           ///< Behind the other events of that call.
  virtual void on_created(const SessionEvent&) noexcept {}     ///< A new session was stored.
  virtual void on_refreshed(const SessionEvent&) noexcept {}   ///< A stored session was replaced by its next version.
  virtual void on_id_rotated(const SessionEvent&) noexcept {}  ///< The hash is the new id's.
  virtual void on_evicted(const SessionEvent&) noexcept {}     ///< To make room for a new one; lock version 0.
  virtual void on_refused(const RefusedEvent&) noexcept {}     ///< A policy did not let a new session in.
  virtual void on_deleted(const SessionEvent&) noexcept {}     ///< Acknowledged; it need not have been stored.
  virtual void on_deleted_all(const DeletedAllEvent&) noexcept {}  ///< By delete_all or delete_others; acknowledged.
  virtual void on_conflict(const SessionEvent&) noexcept {}        ///< An upsert or rotate_id lost to another writer.
  virtual void on_gone(const SessionEvent&) noexcept {}  ///< An upsert or rotate_id found its session no longer stored.
  virtual void on_verification_failed(const VerificationFailedEvent&) noexcept {
  }  ///< A stored session was not accepted.
  virtual void on_finding(const Finding&) noexcept {}  ///< At connect: see RedisStore::diagnose.
  virtual void on_functions_loaded(const FunctionsLoadedEvent&) noexcept {
  }  ///< At connect, or where the server had lost them.
  virtual void on_near_cache_changed(const NearCacheEvent&) noexcept {}  ///< From a thread of the store's own.
  virtual void on_connection_opened(const ConnectionEvent&) noexcept {}  ///< From whichever call needed it.
  virtual void on_connection_closed(const ConnectionEvent&) noexcept {
  }  ///< With the reason, an error or an ordinary end.
};

}  // namespace obol::inline v0
