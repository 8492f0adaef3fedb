// Makes and parses keys and patterns. docs/stored-format.md says why a key is unambiguous read from its end.
#include "obolctl/place.hpp"

#include "obol/session_limits.hpp"
#include "store/session_commands.hpp"

namespace obol::ctl {

Place make_place(std::string_view prefix, std::string_view user_id, std::string_view type) {
  return {.key = stored_key(prefix, user_id, type), .user_id = std::string(user_id), .type = std::string(type)};
}

std::optional<Place> parse_place(std::string_view prefix, std::string_view key) {
  if (!key.starts_with(prefix)) return std::nullopt;
  const auto rest = key.substr(prefix.size());
  const auto end = rest.rfind("}:");
  if (!rest.starts_with('{') || end == std::string_view::npos || end == 0) return std::nullopt;
  auto place = make_place(prefix, rest.substr(1, end - 1), rest.substr(end + 2));
  if (place.key != key || !validate(place.user_id, place.type)) return std::nullopt;
  return place;
}

std::optional<Place> parse_mark(std::string_view prefix, std::string_view key) {
  const auto end = key.rfind(mark_suffix);
  if (end == std::string_view::npos) return std::nullopt;
  auto place = parse_place(prefix, key.substr(0, end));
  if (!place || mark_key(place->key) != key) return std::nullopt;
  return place;
}

std::string glob_escaped(std::string_view text) {
  std::string pattern;
  for (const char letter : text) {
    if (std::string_view("*?[]\\").find(letter) != std::string_view::npos) pattern += '\\';
    pattern += letter;
  }
  return pattern;
}

std::string places_pattern(std::string_view prefix) { return glob_escaped(prefix) + "{*}:*"; }

std::string places_pattern(std::string_view prefix, std::string_view user_id) {
  return glob_escaped(stored_key(prefix, user_id, "")) + "*";
}

std::string marks_pattern(std::string_view prefix) { return places_pattern(prefix).append(mark_suffix) + "*"; }

}  // namespace obol::ctl
