// JSON as obolctl writes it: members in a fixed order, and what is no UTF-8 under a name of its own.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace obol::ctl {

using Json = nlohmann::ordered_json;

/// Adds a byte string: under `name` where it is UTF-8, else as `escaped` writes it under `name` + "_escaped".
void add_bytes(Json& object, const std::string& name, std::string_view bytes);

/// In ISO 8601, or null outside the years 0 to 9999.
void add_time(Json& object, const std::string& name, std::chrono::sys_seconds time);

/// In ASCII, everything else as \uXXXX: no control character and no change of direction reaches a terminal.
std::string json_line(const Json& object);

/// Writes that line to standard output.
void print_json(const Json& object);

}  // namespace obol::ctl
