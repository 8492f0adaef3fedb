// Where sessions stand: the key of a user's sessions of one type, made and taken apart; and patterns that find such
// keys.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace obol::ctl {

struct Place {
  std::string key;
  std::string user_id;
  std::string type;

  bool operator==(const Place&) const = default;
};

Place make_place(std::string_view prefix, std::string_view user_id, std::string_view type);

/// Nothing where no sessions can stand under that key, such as under a revocation mark's.
std::optional<Place> parse_place(std::string_view prefix, std::string_view key);

/// The same for the key of a revocation mark: the place it is for.
std::optional<Place> parse_mark(std::string_view prefix, std::string_view key);

/// A pattern that matches exactly this text, in SCAN and in ACL rules.
std::string glob_escaped(std::string_view text);

/// For SCAN: the places under a prefix, those of one user, and the marks.
std::string places_pattern(std::string_view prefix);
std::string places_pattern(std::string_view prefix, std::string_view user_id);
std::string marks_pattern(std::string_view prefix);

}  // namespace obol::ctl
