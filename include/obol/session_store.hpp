// The interface of every session store, and the promises that each one keeps.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "obol/error.hpp"
#include "obol/export.hpp"
#include "obol/session.hpp"

namespace obol::inline v0 {

/// Why an upsert stored nothing. On `conflict`, `current` is the session that won, so that the loser of a refresh race
/// can answer with it (nullopt where it was deleted in between or does not verify).
struct OBOL_EXPORT UpsertError : Error {
  std::optional<Session> current{};  ///< The session that won, verified; only on `conflict`.
};

/// What an upsert did besides storing the session.
struct Upserted {
  /// Ids of the user's sessions that were deleted to make room (SessionPolicy::max_sessions). Empty also where the
  /// answer to a first attempt was lost and it had stored the session already.
  std::vector<std::string> evicted{};
};

/// How safe a delete is.
struct Deleted {
  std::size_t confirmed_replicas = 0;  ///< Replicas that have it: counted where DeleteDurability asks for any.
};

/// A place where sessions are kept. Every function may be called from any thread, ends by its deadline, reports failure
/// as a value, and refuses ids, types and payloads outside their limits with `invalid_argument` or `too_large` before
/// anything is done. obol/testing/store_conformance.hpp holds every promise made here.
class OBOL_EXPORT SessionStore {
 public:
  SessionStore() = default;
  SessionStore(const SessionStore&) = delete;
  SessionStore& operator=(const SessionStore&) = delete;
  virtual ~SessionStore() = default;

  /// The session exactly as it was stored, or nothing where it is absent, expired (`refresh_expires_at` or `expires_at`
  /// not in the future) or fails verification (the observer is told which).
  virtual Result<std::optional<Session>> get(const SessionKey& key) = 0;

  /// What get would return for each of the keys, in their order; keys of any users. The first error ends it.
  virtual Result<std::vector<std::optional<Session>>> get_many(std::span<const SessionKey> keys) {
    std::vector<std::optional<Session>> sessions;
    sessions.reserve(keys.size());
    for (const auto& key : keys) {
      auto session = get(key);
      if (!session) return std::unexpected(std::move(session.error()));
      sessions.push_back(std::move(*session));
    }
    return sessions;
  }

  /// Stores the session if its lock version is that of the stored one, and counts `session.lock_version` up by one.
  /// With lock version 0 it stores a new session, or fails with `conflict` where one with that id stands, and with
  /// `too_many_sessions` or `revoked` where the store's SessionPolicy says so. With lock
  /// version n it replaces the stored one only if that has version n; else `conflict`; where none is stored any more,
  /// `gone`: a logged-out session never comes back through a late refresh. A session that has expired, by the clock of
  /// the store or of its server, is refused with `expired`, and the stored one stays. On any error the session is left
  /// as it was.
  virtual std::expected<Upserted, UpsertError> upsert(Session& session) = 0;

  /// Gives a stored session a new id, so that an id planted or seen before a login or a change of rights is worth
  /// nothing after it (session fixation). One step: the old id is gone as the new one appears. Stores everything else
  /// of `session`, too, and fails as an upsert of a stored session does; leaves a revocation mark where the
  /// SessionPolicy says so; on success `session` has its new id and lock version, on any error it is as it was.
  virtual std::expected<void, UpsertError> rotate_id(Session& session) = 0;

  /// Deletes one session; succeeds where it is not stored.
  virtual Result<Deleted> delete_one(const SessionKey& key) = 0;

  /// Every session of that user and type that get would return, in no particular order.
  virtual Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) = 0;

  /// Deletes every session of that user and type ("log out everywhere"); leaves a revocation mark where the store's
  /// SessionPolicy has them.
  virtual Result<Deleted> delete_all(std::string_view user_id, std::string_view type) = 0;

  /// Deletes every session of that user and type but the one named ("log out my other devices"), which need not exist;
  /// leaves a revocation mark where the SessionPolicy says so.
  virtual Result<Deleted> delete_others(const SessionKey& keep) = 0;

 protected:
  /// For derived stores that can be moved.
  SessionStore(SessionStore&&) = default;
  /// For derived stores that can be moved.
  SessionStore& operator=(SessionStore&&) = default;
};

}  // namespace obol::inline v0
