// Checks ids, types, times and payloads against the limits that every store shares.
#include "obol/session_limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace obol { inline namespace v0 {
namespace {

std::unexpected<Error> refuse(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

Result<void> check_length(std::string_view what, std::size_t bytes, std::size_t least, std::size_t most) {
  if (bytes >= least && bytes <= most) return {};
  return refuse(ErrorCode::invalid_argument,
                fmt::format("{} is {} bytes long; {} to {} are allowed", what, bytes, least, most));
}

bool is_type_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

Result<void> check_type(std::string_view type) {
  if (auto valid = check_length("the session type", type.size(), 1, max_session_type_bytes); !valid) return valid;
  if (std::ranges::all_of(type, is_type_character)) return {};
  return refuse(ErrorCode::invalid_argument, "the session type contains a character other than A-Z a-z 0-9 _ -");
}

}  // namespace

Result<void> validate(std::string_view user_id, std::string_view type) {
  if (auto valid = check_length("the user id", user_id.size(), 1, max_user_id_bytes); !valid) return valid;
  return check_type(type);
}

// A list that was left empty by mistake must not pass for a logout.
Result<void> validate(std::string_view user_id, std::span<const std::string> types) {
  if (types.empty() || types.size() > max_types_per_call) {
    return refuse(ErrorCode::invalid_argument,
                  fmt::format("{} session types are named; 1 to {} are allowed", types.size(), max_types_per_call));
  }
  for (const auto& type : types) {
    if (auto valid = validate(user_id, type); !valid) return valid;
  }
  return {};
}

Result<void> validate(const SessionKey& key) {
  if (auto valid = validate(key.user_id, key.type); !valid) return valid;
  return check_length("the session id", key.id.size(), 1, max_session_id_bytes);
}

Result<void> validate(const Session& session, std::size_t max_payload_bytes,
                      std::chrono::system_clock::time_point now) {
  if (auto valid = validate(session.user_id, session.type); !valid) return valid;
  if (auto valid = check_length("the session id", session.id.size(), 1, max_session_id_bytes); !valid) return valid;
  if (auto valid = check_length("refresh_token_id", session.refresh_token_id.size(), 0, max_refresh_token_id_bytes);
      !valid) {
    return valid;
  }
  if (session.extra_payload.size() > max_payload_bytes) {
    return refuse(ErrorCode::too_large, fmt::format("extra_payload is {} bytes long; {} are allowed",
                                                    session.extra_payload.size(), max_payload_bytes));
  }
  if (session.refresh_expires_at > latest_expiry) {
    return refuse(ErrorCode::invalid_argument, "refresh_expires_at is after the year 3999; give an earlier one");
  }
  if (session.lock_version == std::numeric_limits<std::uint64_t>::max()) {
    return refuse(ErrorCode::invalid_argument, "lock_version cannot be incremented any more; store a new session");
  }
  if (!is_live(session, now)) {
    return refuse(ErrorCode::expired,
                  "refresh_expires_at or expires_at is not in the future; nothing was stored: log in again");
  }
  return {};
}

}}  // namespace obol::v0
