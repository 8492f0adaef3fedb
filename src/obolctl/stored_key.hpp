// The key under which a user's sessions of one type are stored: made, parsed, and the patterns that find such keys.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace obol::ctl {

struct StoredKey {
  std::string key;
  std::string user_id;
  std::string type;

  bool operator==(const StoredKey&) const = default;
};

StoredKey make_stored_key(std::string_view prefix, std::string_view user_id, std::string_view type);

/// Nothing where no sessions can stand under that key, such as under a revocation mark's.
std::optional<StoredKey> parse_stored_key(std::string_view prefix, std::string_view key);

/// The same for the key of a revocation mark: the stored key it is for.
std::optional<StoredKey> parse_mark_key(std::string_view prefix, std::string_view key);

/// A pattern that matches exactly this text, in SCAN and in ACL rules.
std::string glob_escaped(std::string_view text);

/// For SCAN: the stored keys under a prefix, those of one user, and the marks.
std::string stored_keys_pattern(std::string_view prefix);
std::string stored_keys_pattern(std::string_view prefix, std::string_view user_id);
std::string mark_keys_pattern(std::string_view prefix);

}  // namespace obol::ctl
