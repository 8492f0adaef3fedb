// The worked example of docs/stored-format.md: its session and its key.
#pragma once

#include <chrono>

#include "obol/keyring.hpp"
#include "obol/session.hpp"

namespace obol::testing {

inline Keyring example_keyring() {
  return Keyring(SigningKey::from_bytes("0123456789abcdef0123456789abcdef", "k1").value());
}

inline Session example_session() {
  const auto at = [](int value) { return std::chrono::sys_seconds(std::chrono::seconds(value)); };
  return {.id = "S1",
          .user_id = "426",
          .refresh_token_id = "R1",
          .created_at = at(1'700'000'000),
          .refreshed_at = at(1'700'000'100),
          .refresh_expires_at = at(1'701'209'700),
          .tokens_fresh_from = at(1'700'000'000),
          .prev_tokens_fresh_from = at(1'700'000'000),
          .lock_version = 2,
          .extra_payload = "hello"};
}

}  // namespace obol::testing
