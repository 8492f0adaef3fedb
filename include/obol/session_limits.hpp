// What every store accepts: limits of ids, types, times and payloads, and when a session counts as expired.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "obol/error.hpp"
#include "obol/export.hpp"
#include "obol/session.hpp"

namespace obol { inline namespace v0 {

inline constexpr std::size_t max_user_id_bytes = 256;           ///< Longest Session::user_id; the shortest is 1 byte.
inline constexpr std::size_t max_session_id_bytes = 256;        ///< Longest Session::id; the shortest is 1 byte.
inline constexpr std::size_t max_refresh_token_id_bytes = 256;  ///< Longest Session::refresh_token_id; it may be empty.
inline constexpr std::size_t max_session_type_bytes = 64;       ///< Longest Session::type; the shortest is 1 byte.
inline constexpr std::size_t max_types_per_call = 64;           ///< Most types that one delete_all names; at least 1.
/// Longest Session::extra_payload, unless a store's options say otherwise.
inline constexpr std::size_t default_max_payload_bytes = std::size_t{1024} * 1024;

/// The last second of the year 3999, the latest expiry of a session. Redis refuses hash-field expiries beyond the year
/// 4199.
inline constexpr std::chrono::sys_seconds latest_expiry{std::chrono::seconds{64'060'588'799}};

/// Checks a user id and a session type. On `invalid_argument` the message says what is wrong and what is allowed.
OBOL_EXPORT Result<void> validate(std::string_view user_id, std::string_view type);
/// Checks a user id and the types of one call: how many they are, and each of them.
OBOL_EXPORT Result<void> validate(std::string_view user_id, std::span<const std::string> types);
/// Checks a user id, a session type and a session id.
OBOL_EXPORT Result<void> validate(const SessionKey& key);

/// Checks all limits of a session. Fails with `invalid_argument` or `too_large`, or with `expired` if the session is
/// not live at `now`.
OBOL_EXPORT Result<void> validate(const Session& session, std::size_t max_payload_bytes,
                                  std::chrono::system_clock::time_point now);

/// Returns when the session ends: the earlier of `refresh_expires_at` and `expires_at`.
inline std::chrono::sys_seconds end_of_life(const Session& session) {
  return session.expires_at && *session.expires_at < session.refresh_expires_at ? *session.expires_at
                                                                                : session.refresh_expires_at;
}

/// Returns whether the session ends after `now`.
inline bool is_live(const Session& session, std::chrono::system_clock::time_point now) {
  // In whole seconds: in nanoseconds, as the clock counts, the year 2262 is the last.
  return end_of_life(session) > std::chrono::floor<std::chrono::seconds>(now);
}

}}  // namespace obol::v0
