// The values that Obol stores: a session and the key that identifies it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "obol/payload.hpp"

namespace obol { inline namespace v0 {

/// Identifies one session. Sessions of one type are listed and deleted together, and never with those of another type.
struct SessionKey {
  std::string user_id{};      ///< 1 to 256 bytes of any value.
  std::string type = "full";  ///< The kind of login: 1 to 64 characters of A-Z a-z 0-9 _ -
  std::string id{};           ///< 1 to 256 bytes of any value.

  /// True if all members are equal.
  bool operator==(const SessionKey&) const = default;
};

/// One login of one user on one device: the record that a refresh token refers to.
struct Session {
  std::string id{};                ///< 1 to 256 bytes of any value; use generate_session_id().
  std::string user_id{};           ///< 1 to 256 bytes of any value.
  std::string type = "full";       ///< The kind of login: 1 to 64 characters of A-Z a-z 0-9 _ -
  std::string refresh_token_id{};  ///< 0 to 256 bytes of any value.
  /// When the login began: the time at which the host read what it was about to check (such as the password's hash),
  /// before it checked it. It is compared with the revocation mark.
  std::chrono::sys_seconds created_at{};
  std::chrono::sys_seconds refreshed_at{};  ///< When the session was last refreshed or touched; stores only keep it.
  /// The session is gone from this time on; at most the end of the year 3999.
  std::chrono::sys_seconds refresh_expires_at{};
  /// Tokens issued before this time are of an older generation. SessionManager decides by it; stores only keep it.
  std::chrono::sys_seconds tokens_fresh_from{};
  std::chrono::sys_seconds prev_tokens_fresh_from{};  ///< The same for the generation before that.
  /// An absolute end; nullopt: the session lives as long as it is refreshed.
  std::optional<std::chrono::sys_seconds> expires_at{};
  std::uint64_t lock_version = 0;  ///< Counts the stored writes; 0: never stored.
  std::string extra_payload{};     ///< Data of the host, as bytes.

  /// Returns the key that identifies this session.
  SessionKey key() const { return {.user_id = user_id, .type = type, .id = id}; }

  /// Returns extra_payload decoded as a type of the host, or the codec's error if it cannot be decoded.
  template <PayloadType T>
  Result<T> payload() const {
    return PayloadCodec<T>::decode(extra_payload);
  }

  /// Encodes a value of a type of the host into extra_payload.
  template <PayloadType T>
  void set_payload(const T& value) {
    extra_payload = PayloadCodec<T>::encode(value);
  }

  /// True if all members are equal.
  bool operator==(const Session&) const = default;
};

}}  // namespace obol::v0
