// The values Obol keeps: a session, and the key that names it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "obol/payload.hpp"

namespace obol::inline v0 {

/// What names one session. Sessions of one type are listed and deleted together, and never with those of another type.
struct SessionKey {
  std::string user_id{};      ///< Any bytes, 1 to 256.
  std::string type = "full";  ///< What kind of login: 1 to 64 of A-Z a-z 0-9 _ -
  std::string id{};           ///< Any bytes, 1 to 256.

  /// Equal in every member.
  bool operator==(const SessionKey&) const = default;
};

/// One login of one user on one device: the record that a refresh token points at.
struct Session {
  std::string id{};                ///< Any bytes, 1 to 256; use generate_session_id().
  std::string user_id{};           ///< Any bytes, 1 to 256.
  std::string type = "full";       ///< What kind of login: 1 to 64 of A-Z a-z 0-9 _ -
  std::string refresh_token_id{};  ///< Any bytes, 0 to 256.
  /// When the login began: the moment the host read what it was to check (the password's hash, say), before it checked
  /// it. A revocation mark is held against it.
  std::chrono::sys_seconds created_at{};
  std::chrono::sys_seconds refreshed_at{};        ///< When the host last refreshed it; Obol only keeps it.
  std::chrono::sys_seconds refresh_expires_at{};  ///< From then on the session is gone; at most the year 3999.
  std::chrono::sys_seconds
      tokens_fresh_from{};  ///< Tokens issued earlier are of an older generation: the host's to judge.
  std::chrono::sys_seconds prev_tokens_fresh_from{};  ///< The same, of the generation before.
  std::optional<std::chrono::sys_seconds>
      expires_at{};                ///< An absolute end; nullopt: lives as long as it is refreshed.
  std::uint64_t lock_version = 0;  ///< Counts the stored writes; 0: never stored.
  std::string extra_payload{};     ///< The host's own bytes.

  /// The key that names this session.
  SessionKey key() const { return {.user_id = user_id, .type = type, .id = id}; }

  /// extra_payload as the host's own type; the codec's error where it does not decode.
  template <PayloadType T>
  Result<T> payload() const {
    return PayloadCodec<T>::decode(extra_payload);
  }

  /// Puts a value of the host's own type into extra_payload.
  template <PayloadType T>
  void set_payload(const T& value) {
    extra_payload = PayloadCodec<T>::encode(value);
  }

  /// Equal in every member.
  bool operator==(const Session&) const = default;
};

}  // namespace obol::inline v0
