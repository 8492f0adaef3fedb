// What a store allows: how many sessions a user may have, and what "log out everywhere" means for logins in flight.
#pragma once

#include <chrono>
#include <cstddef>

namespace obol::inline v0 {

/// What a create does where the user has the most sessions allowed.
enum class WhenFull {
  evict,   ///< Deletes the one that expires first (of several, the one with the smallest id).
  refuse,  ///< Fails with `too_many_sessions`.
};

/// Where a user has far more sessions than allowed, since the policy is new, the first login evicts them in several
/// calls, of which none holds up the server for long (docs/operations.md).
///
/// Every store on the same place should have the same policy: each applies its own when it creates. With everything off
/// a create is one plain command, else a function call, which costs the server several times as much
/// (docs/operations.md has the figures).
struct SessionPolicy {
  std::size_t max_sessions = 0;          ///< Of one user and type; 0: any number.
  WhenFull when_full = WhenFull::evict;  ///< What happens to the next login.

  /// More than 0: delete_all leaves a mark for this long, and a create whose `created_at` is not later
  /// than the mark fails with `revoked`, so that a login in flight does not survive "log out everywhere", if
  /// `created_at` is the moment at which the login read the credentials that it checks. Choose longer than a login can
  /// take, clocks' differences included; the times compared are those of the hosts' clocks, in whole seconds, so a new
  /// login in the very second of the logout is refused, too.
  std::chrono::seconds revocation_mark_lifetime{0};

  /// delete_others leaves such a mark, too: a login that was under way with the old password does not survive the
  /// change of the password. The session that is kept stays and can be refreshed: a mark is held against new sessions
  /// only. Needs `revocation_mark_lifetime`.
  bool mark_on_delete_others = false;

  /// The same for rotate_id, and the session that it rotates.
  bool mark_on_rotate_id = false;
};

}  // namespace obol::inline v0
