// Rules for new sessions: how many a user may have, and whether "log out everywhere" stops logins in progress.
#pragma once

#include <chrono>
#include <cstddef>

namespace obol { inline namespace v0 {

/// What a create does if the user already has the maximum number of sessions.
enum class WhenFull {
  evict,   ///< Deletes the session that expires first (if several do, the one with the smallest id).
  refuse,  ///< Fails with `too_many_sessions`.
};

/// Rules for new sessions. Every store on the same data should have the same policy: each applies its own when it
/// creates a session. With everything off a create is one plain command; otherwise it is a function call, which costs
/// the server several times as much (docs/operations.md has the figures).
///
/// If a user has far more sessions than a new policy allows, the next login evicts them in several calls, none of which
/// blocks the server for long (docs/operations.md).
struct SessionPolicy {
  std::size_t max_sessions = 0;          ///< Maximum for one user and type; 0: unlimited.
  WhenFull when_full = WhenFull::evict;  ///< What a create does at the maximum.

  /// If more than 0, delete_all leaves a mark for this long, and a create whose `created_at` is not later than the mark
  /// fails with `revoked`. So a login in progress does not survive "log out everywhere", provided that `created_at` is
  /// the time at which the login read the credentials that it checks. Choose a time longer than a login can take,
  /// including differences between clocks. The times compared come from the hosts' clocks, in whole seconds, so a new
  /// login in the same second as the logout is refused too.
  std::chrono::seconds revocation_mark_lifetime{0};

  /// If true, delete_others leaves such a mark too, so that a login that was in progress with the old password does not
  /// survive a change of the password. The session that is kept can still be refreshed, since only new sessions are
  /// compared with a mark. Needs `revocation_mark_lifetime`.
  bool mark_on_delete_others = false;

  /// The same for rotate_id and the session that it rotates.
  bool mark_on_rotate_id = false;
};

}}  // namespace obol::v0
