// Deterministic CBOR (RFC 8949, section 4.2): the subset Obol writes, and a reader that accepts nothing else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace obol { inline namespace v0 { namespace sealing::cbor {

constexpr unsigned one_byte_argument = 24;

/// The least value that needs an argument of 1, 2, 4 or 8 bytes.
constexpr std::array<std::uint64_t, 4> least_argument{24, 0x100, 0x10000, 0x100000000};

/// Appends items to a string of chars, each in its shortest form and with definite length.
template <class String>
class Writer {
 public:
  explicit Writer(String& out) : out_(out) {}

  Writer& unsigned_integer(std::uint64_t value) { return head(0, value); }
  /// Of a negative number CBOR keeps -1 - n, which is its bitwise complement.
  Writer& integer(std::int64_t value) {
    return value < 0 ? head(1, ~static_cast<std::uint64_t>(value)) : head(0, static_cast<std::uint64_t>(value));
  }
  Writer& bytes(std::string_view value) { return string(2, value); }
  Writer& text(std::string_view value) { return string(3, value); }
  Writer& array(std::uint64_t items) { return head(4, items); }
  Writer& map(std::uint64_t pairs) { return head(5, pairs); }
  Writer& tag(std::uint64_t number) { return head(6, number); }

  /// Only the head of a byte string, for whoever appends its bytes elsewhere.
  Writer& bytes_head(std::uint64_t length) { return head(2, length); }

 private:
  Writer& head(unsigned major, std::uint64_t argument) {
    if (argument < one_byte_argument) {
      out_ += static_cast<char>(major << 5 | static_cast<unsigned>(argument));
      return *this;
    }
    unsigned form = 3;
    while (argument < least_argument[form]) --form;
    const std::size_t length = std::size_t{1} << form;
    std::array<char, 9> bytes;
    bytes[0] = static_cast<char>(major << 5 | (one_byte_argument + form));
    for (std::size_t i = length; i > 0; --i, argument >>= 8) bytes[i] = static_cast<char>(argument & 0xFF);
    out_.append(bytes.data(), length + 1);
    return *this;
  }

  Writer& string(unsigned major, std::string_view value) {
    head(major, value.size());
    out_.append(value.data(), value.size());
    return *this;
  }

  String& out_;
};

/// Reads items off the front of some bytes. Refuses indefinite lengths, longer forms than needed, floats and simple
/// values. After a refusal the position is undefined. Never reads past the end, never allocates.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::optional<std::uint64_t> unsigned_integer() { return head(0); }
  std::optional<std::int64_t> integer() {
    const bool negative = next_major() == 1U;
    const auto argument = head(negative ? 1 : 0);
    if (!argument || *argument > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) return std::nullopt;
    const auto value = static_cast<std::int64_t>(*argument);
    return negative ? -1 - value : value;
  }
  std::optional<std::string_view> bytes() { return string(2); }
  std::optional<std::string_view> text() { return string(3); }
  std::optional<std::uint64_t> array() { return head(4); }
  std::optional<std::uint64_t> map() { return head(5); }
  std::optional<std::uint64_t> tag() { return head(6); }

  /// Steps over one item of any kind but a tag, nested at most 8 deep; the keys of maps must ascend.
  bool skip() { return skip(0); }

  bool at_end() const { return rest_.empty(); }

  /// The major type of the next item (0 to 7); nothing at the end.
  std::optional<unsigned> next_major() const {
    if (rest_.empty()) return std::nullopt;
    return byte_at(0) >> 5;
  }

 private:
  unsigned char byte_at(std::size_t index) const { return static_cast<unsigned char>(rest_[index]); }

  std::optional<std::uint64_t> head(unsigned major) {
    if (next_major() != major) return std::nullopt;
    const unsigned information = byte_at(0) & 31U;
    rest_.remove_prefix(1);
    if (information < one_byte_argument) return information;
    const unsigned form = information - one_byte_argument;
    if (form >= least_argument.size()) return std::nullopt;
    const std::size_t length = std::size_t{1} << form;
    if (rest_.size() < length) return std::nullopt;
    std::uint64_t argument = 0;
    for (std::size_t i = 0; i < length; ++i) argument = argument << 8 | byte_at(i);
    rest_.remove_prefix(length);
    if (argument < least_argument[form]) return std::nullopt;
    return argument;
  }

  std::optional<std::string_view> string(unsigned major) {
    const auto length = head(major);
    if (!length || *length > rest_.size()) return std::nullopt;
    const auto value = rest_.substr(0, static_cast<std::size_t>(*length));
    rest_.remove_prefix(value.size());
    return value;
  }

  bool skip(int depth);
  bool skip_map(int depth);
  std::string_view rest_;
};

}}}  // namespace obol::v0::sealing::cbor
