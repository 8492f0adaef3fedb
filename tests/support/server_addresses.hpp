// Addresses of servers that are told apart by their port.
#pragma once

#include <cstdint>

#include "obol/server_address.hpp"

namespace obol::testing {

inline ServerAddress server_at(std::uint16_t port) { return {.host = "10.0.0.1", .port = port}; }

}  // namespace obol::testing
