// Names of error codes, for labels.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "obol/error.hpp"

namespace obol::inline v0::metrics {

/// As the enumerator is called; "other" for what this release does not know.
constexpr std::string_view name_of(ErrorCode code) noexcept {
  constexpr std::array<std::string_view, 21> names{
      "other",        "conflict", "gone",        "expired", "invalid_argument",  "too_large",     "invalid_token",
      "pool_timeout", "timeout",  "unavailable", "auth",    "permission",        "out_of_memory", "unsupported_server",
      "server",       "protocol", "closed",      "tls",     "too_many_sessions", "revoked",       "internal"};
  static_assert(static_cast<std::size_t>(ErrorCode::internal) == names.size() - 1);
  const auto index = static_cast<std::size_t>(code);
  return names[index < names.size() ? index : 0];
}

}  // namespace obol::inline v0::metrics
