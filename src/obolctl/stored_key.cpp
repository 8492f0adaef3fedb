// Makes and parses keys and patterns. docs/stored-format.md says why a key is unambiguous read from its end.
#include "obolctl/stored_key.hpp"

#include "obol/session_limits.hpp"
#include "store/session_commands.hpp"

namespace obol::ctl {

StoredKey make_stored_key(std::string_view prefix, std::string_view user_id, std::string_view type) {
  return {.key = stored_key(prefix, user_id, type), .user_id = std::string(user_id), .type = std::string(type)};
}

std::optional<StoredKey> parse_stored_key(std::string_view prefix, std::string_view key) {
  if (!key.starts_with(prefix)) return std::nullopt;
  const auto rest = key.substr(prefix.size());
  const auto end = rest.rfind("}:");
  if (!rest.starts_with('{') || end == std::string_view::npos || end == 0) return std::nullopt;
  auto stored_key = make_stored_key(prefix, rest.substr(1, end - 1), rest.substr(end + 2));
  if (stored_key.key != key || !validate(stored_key.user_id, stored_key.type)) return std::nullopt;
  return stored_key;
}

std::optional<StoredKey> parse_mark_key(std::string_view prefix, std::string_view key) {
  const auto end = key.rfind(mark_suffix);
  if (end == std::string_view::npos) return std::nullopt;
  auto stored_key = parse_stored_key(prefix, key.substr(0, end));
  if (!stored_key || mark_key(stored_key->key) != key) return std::nullopt;
  return stored_key;
}

std::string glob_escaped(std::string_view text) {
  std::string pattern;
  for (const char letter : text) {
    if (std::string_view("*?[]\\").find(letter) != std::string_view::npos) pattern += '\\';
    pattern += letter;
  }
  return pattern;
}

std::string stored_keys_pattern(std::string_view prefix) { return glob_escaped(prefix) + "{*}:*"; }

std::string stored_keys_pattern(std::string_view prefix, std::string_view user_id) {
  return glob_escaped(stored_key(prefix, user_id, "")) + "*";
}

std::string mark_keys_pattern(std::string_view prefix) { return stored_keys_pattern(prefix).append(mark_suffix) + "*"; }

}  // namespace obol::ctl
