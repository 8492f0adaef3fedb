// Writes and reads the deterministic subset of CBOR.
#include "sealing/cbor.hpp"

#include <array>
#include <limits>

namespace obol::inline v0::sealing::cbor {
namespace {

constexpr int maximum_depth = 8;
constexpr unsigned one_byte_argument = 24;

unsigned char byte_at(std::string_view bytes, std::size_t index) { return static_cast<unsigned char>(bytes[index]); }

/// The least value that needs an argument of 1, 2, 4 or 8 bytes.
constexpr std::array<std::uint64_t, 4> least_argument{24, 0x100, 0x10000, 0x100000000};

}  // namespace

Writer& Writer::head(unsigned major, std::uint64_t argument) {
  if (argument < one_byte_argument) {
    out_ += static_cast<char>(major << 5 | static_cast<unsigned>(argument));
    return *this;
  }
  unsigned form = 3;
  while (argument < least_argument[form]) --form;
  out_ += static_cast<char>(major << 5 | (one_byte_argument + form));
  for (int shift = (1 << form) * 8 - 8; shift >= 0; shift -= 8) out_ += static_cast<char>(argument >> shift & 0xFF);
  return *this;
}

Writer& Writer::integer(std::int64_t value) {
  // Of a negative number CBOR keeps -1 - n, which is its bitwise complement.
  return value < 0 ? head(1, ~static_cast<std::uint64_t>(value)) : head(0, static_cast<std::uint64_t>(value));
}

Writer& Writer::string(unsigned major, std::string_view value) {
  head(major, value.size());
  out_ += value;
  return *this;
}

std::optional<unsigned> Reader::next_major() const {
  if (rest_.empty()) return std::nullopt;
  return byte_at(rest_, 0) >> 5;
}

std::optional<std::uint64_t> Reader::head(unsigned major) {
  if (next_major() != major) return std::nullopt;
  const unsigned information = byte_at(rest_, 0) & 31U;
  rest_.remove_prefix(1);
  if (information < one_byte_argument) return information;
  const unsigned form = information - one_byte_argument;
  if (form >= least_argument.size()) return std::nullopt;
  const std::size_t length = std::size_t{1} << form;
  if (rest_.size() < length) return std::nullopt;
  std::uint64_t argument = 0;
  for (std::size_t i = 0; i < length; ++i) argument = argument << 8 | byte_at(rest_, i);
  rest_.remove_prefix(length);
  if (argument < least_argument[form]) return std::nullopt;
  return argument;
}

std::optional<std::int64_t> Reader::integer() {
  const bool negative = next_major() == 1U;
  const auto argument = head(negative ? 1 : 0);
  if (!argument || *argument > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) return std::nullopt;
  const auto value = static_cast<std::int64_t>(*argument);
  return negative ? -1 - value : value;
}

std::optional<std::string_view> Reader::string(unsigned major) {
  const auto length = head(major);
  if (!length || *length > rest_.size()) return std::nullopt;
  const auto value = rest_.substr(0, static_cast<std::size_t>(*length));
  rest_.remove_prefix(value.size());
  return value;
}

bool Reader::skip(int depth) {
  if (depth >= maximum_depth) return false;
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

}  // namespace obol::inline v0::sealing::cbor
