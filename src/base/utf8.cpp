// Checks UTF-8, one sequence at a time.
#include "base/utf8.hpp"

#include <algorithm>
#include <cstddef>

namespace obol { inline namespace v0 {
namespace {

/// The bytes of the sequence that begins with this one; 0 if none does.
std::size_t sequence_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return 2;
  if (first < 0xF0) return 3;
  return first < 0xF5 ? 4 : 0;
}

/// Excludes encodings that are too long, surrogates and what lies beyond the last code point.
bool may_follow(unsigned char first, unsigned char second) {
  switch (first) {
    case 0xE0:
      return second >= 0xA0 && second <= 0xBF;
    case 0xED:
      return second >= 0x80 && second <= 0x9F;
    case 0xF0:
      return second >= 0x90 && second <= 0xBF;
    case 0xF4:
      return second >= 0x80 && second <= 0x8F;
    default:
      return second >= 0x80 && second <= 0xBF;
  }
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto first = static_cast<unsigned char>(bytes.front());
    const auto length = sequence_length(first);
    if (length == 0 || length > bytes.size()) return false;
    if (length > 1 && !may_follow(first, static_cast<unsigned char>(bytes[1]))) return false;
    if (length > 2 && !std::ranges::all_of(bytes.substr(2, length - 2), is_continuation)) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

}}  // namespace obol::v0
