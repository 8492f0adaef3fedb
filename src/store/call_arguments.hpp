// Checks of arguments that a store makes before a call, beyond those of obol/session_limits.hpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "obol/error.hpp"
#include "obol/session.hpp"
#include "obol/session_limits.hpp"
#include "values/refusal.hpp"

namespace obol { inline namespace v0 {

/// The first error of a key.
inline Result<void> validate_keys(std::span<const SessionKey> keys) {
  for (const auto& key : keys) {
    if (auto valid = validate(key); !valid) return valid;
  }
  return {};
}

/// Of a session that shall get a new id.
inline Result<void> validate_rotation(const Session& session, std::size_t max_payload_bytes,
                                      std::chrono::system_clock::time_point now) {
  if (session.lock_version == 0) return refuse("the session was never stored; upsert it first");
  return validate(session, max_payload_bytes, now);
}

}}  // namespace obol::v0
