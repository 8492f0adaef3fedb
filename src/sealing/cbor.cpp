// Steps over items of any kind.
#include "sealing/cbor.hpp"

namespace obol { inline namespace v0 { namespace sealing::cbor {
namespace {

constexpr int max_depth = 8;

}  // namespace

bool Reader::skip(int depth) {
  if (depth >= max_depth) return false;
  switch (next_major().value_or(7)) {
    case 0:
      return head(0).has_value();
    case 1:
      return head(1).has_value();
    case 2:
      return bytes().has_value();
    case 3:
      return text().has_value();
    case 5:
      return skip_map(depth);
    case 4:
      break;
    default:
      return false;
  }
  const auto items = array();
  // Each item takes a byte at least, so a count beyond the bytes left is refused before the loop.
  if (!items || *items > rest_.size()) return false;
  for (std::uint64_t i = 0; i < *items; ++i) {
    if (!skip(depth + 1)) return false;
  }
  return true;
}

bool Reader::skip_map(int depth) {
  const auto pairs = map();
  if (!pairs || *pairs > rest_.size()) return false;
  std::string_view previous;
  for (std::uint64_t i = 0; i < *pairs; ++i) {
    const auto before = rest_;
    if (!skip(depth + 1)) return false;
    const auto key = before.substr(0, before.size() - rest_.size());
    if (i > 0 && key <= previous) return false;
    previous = key;
    if (!skip(depth + 1)) return false;
  }
  return true;
}

}}}  // namespace obol::v0::sealing::cbor
