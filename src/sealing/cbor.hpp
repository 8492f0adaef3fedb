// Deterministic CBOR (RFC 8949, section 4.2): the subset Obol writes, and a reader that accepts nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace obol::inline v0::sealing::cbor {

/// Appends items to a string, each in its shortest form and with definite length.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  Writer& unsigned_integer(std::uint64_t value) { return head(0, value); }
  Writer& integer(std::int64_t value);
  Writer& bytes(std::string_view value) { return string(2, value); }
  Writer& text(std::string_view value) { return string(3, value); }
  Writer& array(std::uint64_t items) { return head(4, items); }
  Writer& map(std::uint64_t pairs) { return head(5, pairs); }
  Writer& tag(std::uint64_t number) { return head(6, number); }

  /// Only the head of a byte string, for whoever appends its bytes elsewhere.
  Writer& bytes_head(std::uint64_t length) { return head(2, length); }

 private:
  Writer& head(unsigned major, std::uint64_t argument);
  Writer& string(unsigned major, std::string_view value);
  std::string& out_;
};

/// Reads items off the front of some bytes. Refuses indefinite lengths, longer forms than needed, floats and simple
/// values. After a refusal the position is undefined. Never reads past the end, never allocates.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::optional<std::uint64_t> unsigned_integer() { return head(0); }
  std::optional<std::int64_t> integer();
  std::optional<std::string_view> bytes() { return string(2); }
  std::optional<std::string_view> text() { return string(3); }
  std::optional<std::uint64_t> array() { return head(4); }
  std::optional<std::uint64_t> map() { return head(5); }
  std::optional<std::uint64_t> tag() { return head(6); }

  /// Steps over one item of any kind but a tag, nested at most 8 deep; the keys of maps must ascend.
  bool skip() { return skip(0); }

  bool at_end() const { return rest_.empty(); }

  /// The major type of the next item (0 to 7); nothing at the end.
  std::optional<unsigned> next_major() const;

 private:
  std::optional<std::uint64_t> head(unsigned major);
  std::optional<std::string_view> string(unsigned major);
  bool skip(int depth);
  bool skip_map(int depth);
  std::string_view rest_;
};

}  // namespace obol::inline v0::sealing::cbor
