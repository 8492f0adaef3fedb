// What every store accepts: the limits of ids, types, times and payloads, and when a session counts as expired.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include "obol/error.hpp"
#include "obol/export.hpp"
#include "obol/session.hpp"

namespace obol::inline v0 {

inline constexpr std::size_t max_user_id_bytes = 256;           ///< Of Session::user_id; at least 1.
inline constexpr std::size_t max_session_id_bytes = 256;        ///< Of Session::id; at least 1.
inline constexpr std::size_t max_refresh_token_id_bytes = 256;  ///< Of Session::refresh_token_id; it may be empty.
inline constexpr std::size_t max_session_type_bytes = 64;       ///< Of Session::type; at least 1.
/// Of Session::extra_payload, where a store's options say nothing else.
inline constexpr std::size_t default_max_payload_bytes = std::size_t{1024} * 1024;

/// The last second of the year 3999: no session may be asked to live longer. Redis refuses hash-field expiries beyond
/// the year 4199.
inline constexpr std::chrono::sys_seconds latest_expiry{std::chrono::seconds{64'060'588'799}};

/// `invalid_argument` that says what is wrong and what is allowed, or nothing.
OBOL_EXPORT Result<void> validate(std::string_view user_id, std::string_view type);
/// The same, and the session id.
OBOL_EXPORT Result<void> validate(const SessionKey& key);

/// `invalid_argument`, `too_large` or, where the session is not live at `now`, `expired`.
OBOL_EXPORT Result<void> validate(const Session& session, std::size_t max_payload_bytes,
                                  std::chrono::system_clock::time_point now);

/// When the session stops being returned: the earlier of `refresh_expires_at` and `expires_at`.
inline std::chrono::sys_seconds end_of_life(const Session& session) {
  return session.expires_at && *session.expires_at < session.refresh_expires_at ? *session.expires_at
                                                                                : session.refresh_expires_at;
}

/// True while the end of its life lies in the future.
inline bool is_live(const Session& session, std::chrono::system_clock::time_point now) {
  // In whole seconds: in nanoseconds, as the clock counts, the year 2262 is the last.
  return end_of_life(session) > std::chrono::floor<std::chrono::seconds>(now);
}

}  // namespace obol::inline v0
