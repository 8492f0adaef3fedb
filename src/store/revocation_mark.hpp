// The mark that calls leave which log a user out: one rule for every store.
#pragma once

#include <chrono>
#include <optional>

#include "obol/observer.hpp"
#include "obol/session_policy.hpp"

namespace obol { inline namespace v0 {

/// What a create of a session that was begun before is held against, and for how long.
struct RevocationMark {
  std::chrono::sys_seconds at;
  std::chrono::seconds lifetime;
};

/// What a call leaves that is made at `now`; nothing if the policy asks for none.
inline std::optional<RevocationMark> revocation_mark(const SessionPolicy& policy, Operation call,
                                                     std::chrono::system_clock::time_point now) {
  const bool leaves_mark = call == Operation::delete_all ||
                           (call == Operation::delete_others && policy.mark_on_delete_others) ||
                           (call == Operation::rotate_id && policy.mark_on_rotate_id);
  if (!leaves_mark || policy.revocation_mark_lifetime.count() == 0) return std::nullopt;
  return RevocationMark{.at = std::chrono::floor<std::chrono::seconds>(now),
                        .lifetime = policy.revocation_mark_lifetime};
}

}}  // namespace obol::v0
