// What tests of Asio ask a store for, and get.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "obol/error.hpp"
#include "obol/session.hpp"

namespace obol::testing {

using Got = Result<std::optional<Session>>;

inline SessionKey key_of(std::string id) { return {.user_id = "ann", .id = std::move(id)}; }

}  // namespace obol::testing
