// The ways an upsert loses, worded once for every store.
#pragma once

#include <optional>
#include <utility>

#include "obol/session_store.hpp"

namespace obol { inline namespace v0 {

inline UpsertError conflict(std::optional<Session> current) {
  return {{ErrorCode::conflict,
           "another writer stored this session first; answer with UpsertError::current, or read it and try again"},
          std::move(current)};
}

inline UpsertError gone() {
  return {{ErrorCode::gone, "the session is no longer stored: it was logged out or has expired; ask for a new login"},
          {}};
}

inline UpsertError too_many_sessions() {
  return {{ErrorCode::too_many_sessions,
           "the user already has the maximum number of sessions (SessionPolicy); log one out first"},
          {}};
}

inline UpsertError revoked() {
  return {{ErrorCode::revoked, "the user's other logins were revoked after this one began; ask for a new login"}, {}};
}

}}  // namespace obol::v0
