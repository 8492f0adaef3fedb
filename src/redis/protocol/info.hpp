// Reads the reply to INFO.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string_view>

namespace obol { inline namespace v0 { namespace redis {

/// The value of a line of INFO.
/// Source: https://redis.io/docs/latest/commands/info/
inline std::optional<std::string_view> info_field(std::string_view info, std::string_view name) {
  const auto line = info.find(fmt::format("\n{}:", name));
  if (line == std::string_view::npos) return std::nullopt;
  const auto value = info.substr(line + name.size() + 2);
  return value.substr(0, value.find_first_of("\r\n"));
}

}}}  // namespace obol::v0::redis
