// The interface of every session store, and the guarantees that each one gives.
#pragma once

#include <cstddef>
#include <expected>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "obol/error.hpp"
#include "obol/export.hpp"
#include "obol/session.hpp"
#include "obol/session_limits.hpp"

namespace obol { inline namespace v0 {

/// Why an upsert stored nothing. On `conflict`, `current` is the session that won, so that the loser of a refresh race
/// can answer with it. It is nullopt if that session was deleted in the meantime or does not verify.
struct OBOL_EXPORT UpsertError : Error {
  std::optional<Session> current{};  ///< The session that won, verified; only on `conflict`.
};

/// Result of an upsert, besides the stored session.
struct Upserted {
  /// Ids of the user's sessions that were deleted to make room (SessionPolicy::max_sessions). Also empty if a first
  /// attempt stored the session but its answer was lost.
  std::vector<std::string> evicted{};
};

/// Result of a delete.
struct Deleted {
  /// Replicas that confirmed the delete; counted only if DeleteDurability asks for any.
  std::size_t confirmed_replicas = 0;
};

/// Stores sessions. Every function is thread-safe, ends by its deadline and reports failure as a value. Ids, types and
/// payloads outside their limits are refused with `invalid_argument` or `too_large` before anything is done.
/// obol/testing/store_conformance.hpp checks every guarantee given here.
class OBOL_EXPORT SessionStore {
 public:
  SessionStore() = default;
  SessionStore(const SessionStore&) = delete;
  SessionStore& operator=(const SessionStore&) = delete;
  virtual ~SessionStore() = default;

  /// Returns the session exactly as it was stored, or nothing if it is absent, has expired (`refresh_expires_at` or
  /// `expires_at` is not in the future) or fails verification (the observer is told why).
  [[nodiscard]] virtual Result<std::optional<Session>> get(const SessionKey& key) = 0;

  /// Returns what get would return for each of the keys, in their order. The keys may belong to different users. The
  /// first error ends the call.
  [[nodiscard]] virtual Result<std::vector<std::optional<Session>>> get_many(std::span<const SessionKey> keys) {
    std::vector<std::optional<Session>> sessions;
    sessions.reserve(keys.size());
    for (const auto& key : keys) {
      auto session = get(key);
      if (!session) return std::unexpected(std::move(session.error()));
      sessions.push_back(std::move(*session));
    }
    return sessions;
  }

  /// Stores the session if its lock version is that of the stored one, and increments `session.lock_version`.
  ///
  /// - Lock version 0 stores a new session. Fails with `conflict` if a session with that id exists, and with
  ///   `too_many_sessions` or `revoked` if the store's SessionPolicy says so.
  /// - Lock version n replaces the stored session if that has version n. Fails with `conflict` if it has another
  ///   version, and with `gone` if no session is stored: a late refresh never brings back a logged-out session.
  ///
  /// A session that has expired by the clock of the store or of its server is refused with `expired`; a stored session
  /// stays unchanged. On any error `session` is unchanged.
  [[nodiscard]] virtual std::expected<Upserted, UpsertError> upsert(Session& session) = 0;

  /// Gives a stored session a new id, so that an id that was planted or seen before a login or a change of rights is
  /// useless after it (session fixation). Done in one step: the old id disappears as the new one appears. Also stores
  /// all other members of `session`, and fails like an upsert of a stored session. Leaves a revocation mark if the
  /// SessionPolicy says so. On success `session` has its new id and lock version; on any error it is unchanged.
  [[nodiscard]] virtual std::expected<void, UpsertError> rotate_id(Session& session) = 0;

  /// Deletes one session. Succeeds if it is not stored.
  [[nodiscard]] virtual Result<Deleted> delete_one(const SessionKey& key) = 0;

  /// Returns every session of that user and type that get would return, in no particular order.
  [[nodiscard]] virtual Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) = 0;

  /// Deletes every session of that user and type ("log out everywhere"). Leaves a revocation mark if the store's
  /// SessionPolicy enables marks.
  [[nodiscard]] virtual Result<Deleted> delete_all(std::string_view user_id, std::string_view type) = 0;

  /// Deletes every session of that user of all these types, so that an account that is disabled ends as a whole. Does
  /// for each type what delete_all does, marks included; other callers may see the sessions of one type disappear
  /// before those of the next. `confirmed_replicas` counts the replicas that confirmed all of it. On an error the
  /// sessions of some types may be deleted: call again, which is always safe.
  ///
  /// Name every type that the host stores, up to max_types_per_call of them. A type may be named twice. An empty list
  /// is refused with `invalid_argument`, so that a list that was not filled does not pass for a logout.
  [[nodiscard]] virtual Result<Deleted> delete_all(std::string_view user_id, std::span<const std::string> types) {
    if (auto valid = validate(user_id, types); !valid) return std::unexpected(std::move(valid.error()));
    Result<Deleted> outcome = Deleted{.confirmed_replicas = std::numeric_limits<std::size_t>::max()};
    for (const auto& type : types) {
      auto deleted = delete_all(user_id, std::string_view(type));
      const bool is_less = !deleted || (outcome && deleted->confirmed_replicas < outcome->confirmed_replicas);
      if (outcome && is_less) outcome = std::move(deleted);
    }
    return outcome;
  }

  /// The same for types that are written out: `store.delete_all(user_id, {"full", "pending"})`.
  [[nodiscard]] Result<Deleted> delete_all(std::string_view user_id, std::initializer_list<std::string_view> types) {
    const std::vector<std::string> named(types.begin(), types.end());
    return delete_all(user_id, std::span(named));
  }

  /// Deletes every session of that user and type except `keep` ("log out my other devices"), which need not exist.
  /// Leaves a revocation mark if the SessionPolicy says so.
  [[nodiscard]] virtual Result<Deleted> delete_others(const SessionKey& keep) = 0;

 protected:
  /// For derived stores that can be moved.
  SessionStore(SessionStore&&) = default;
  /// For derived stores that can be moved.
  SessionStore& operator=(SessionStore&&) = default;
};

}}  // namespace obol::v0
