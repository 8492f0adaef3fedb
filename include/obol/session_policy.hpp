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

/// Every store on the same place should have the same policy: each applies its own when it creates. With everything off
/// a create is one plain command, else a function call, which costs the server several times as much
/// (docs/operations.md has the figures).
struct SessionPolicy {
  std::size_t maximum_sessions = 0;      ///< Of one user and type; 0: any number.
  WhenFull when_full = WhenFull::evict;  ///< What happens to the next login.

  /// More than 0: delete_all leaves a mark for this long, and a create whose `created_at` is not later
  /// than the mark fails with `revoked`, so that a login in flight does not survive "log out everywhere". Choose longer
  /// than a login can take, clocks' differences included; the times compared are those of the hosts' clocks, in whole
  /// seconds, so a new login in the very second of the logout is refused, too.
  std::chrono::seconds revocation_mark_lifetime{0};
};

}  // namespace obol::inline v0
