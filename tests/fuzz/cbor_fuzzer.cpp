// Fuzzes the CBOR reader and the session codec: what they accept is, to the byte, what the writers write.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "input.hpp"
#include "require.hpp"
#include "sealing/cbor.hpp"
#include "sealing/session_codec.hpp"

namespace obol::fuzz { namespace {

using sealing::WriteId;
using sealing::cbor::Reader;
using Writer = sealing::cbor::Writer<std::string>;

template <class Value>
void check_one_read(std::string_view bytes, std::optional<Value> (Reader::*read)(), Writer& (Writer::*write)(Value)) {
  Reader reader(bytes);
  const auto value = (reader.*read)();
  if (!value) return;
  std::string written;
  Writer writer(written);
  (writer.*write)(*value);
  require(bytes.starts_with(written), "an item that is read is written again as the same bytes");
  require(reader.at_end() == (bytes.size() == written.size()), "reading an item uses up its bytes and no others");
}

void check_every_read(std::string_view bytes) {
  check_one_read(bytes, &Reader::unsigned_integer, &Writer::unsigned_integer);
  check_one_read(bytes, &Reader::integer, &Writer::integer);
  check_one_read(bytes, &Reader::bytes, &Writer::bytes);
  check_one_read(bytes, &Reader::text, &Writer::text);
  check_one_read(bytes, &Reader::array, &Writer::array);
  check_one_read(bytes, &Reader::map, &Writer::map);
  check_one_read(bytes, &Reader::tag, &Writer::tag);
}

/// Writes what it reads, item by item.
class Copy {
 public:
  explicit Copy(std::string_view bytes) : reader_(bytes) {}

  bool item(int depth = 0);

  const std::string& written() const { return written_; }

  /// True where a negative integer below those of 64 bits was met, which can be skipped but not read.
  bool met_unreadable_integer() const { return met_unreadable_integer_; }

  bool met_unsorted_map() const { return met_unsorted_map_; }

 private:
  template <class Value>
  bool copy(std::optional<Value> value, Writer& (Writer::*write)(Value)) {
    if (value) (writer_.*write)(*value);
    return value.has_value();
  }

  bool integer();
  bool array(int depth);
  bool map(int depth);

  Reader reader_;
  std::string written_;
  Writer writer_{written_};
  bool met_unreadable_integer_ = false;
  bool met_unsorted_map_ = false;
};

bool Copy::item(int depth) {
  constexpr int deeper_than_any_reader_goes = 16;
  if (depth >= deeper_than_any_reader_goes) return false;
  switch (reader_.next_major().value_or(7)) {
    case 0:
      return copy(reader_.unsigned_integer(), &Writer::unsigned_integer);
    case 1:
      return integer();
    case 2:
      return copy(reader_.bytes(), &Writer::bytes);
    case 3:
      return copy(reader_.text(), &Writer::text);
    case 4:
      return array(depth);
    case 5:
      return map(depth);
    default:
      return false;
  }
}

bool Copy::integer() {
  const auto value = reader_.integer();
  met_unreadable_integer_ = met_unreadable_integer_ || !value;
  return copy(value, &Writer::integer);
}

bool Copy::array(int depth) {
  const auto count = reader_.array();
  if (!copy(count, &Writer::array)) return false;
  for (std::uint64_t i = 0; i < *count; ++i) {
    if (!item(depth + 1)) return false;
  }
  return true;
}

bool Copy::map(int depth) {
  const auto count = reader_.map();
  if (!copy(count, &Writer::map)) return false;
  std::string previous;
  for (std::uint64_t i = 0; i < *count; ++i) {
    const auto before = written_.size();
    if (!item(depth + 1)) return false;
    auto key = written_.substr(before);
    met_unsorted_map_ = met_unsorted_map_ || (i > 0 && key <= previous);
    previous = std::move(key);
    if (!item(depth + 1)) return false;
  }
  return true;
}

void check_skip(std::string_view bytes) {
  if (!Reader(bytes).skip()) return;
  Copy copy(bytes);
  if (!copy.item()) {
    require(copy.met_unreadable_integer(), "what can be skipped can be read");
    return;
  }
  const std::string_view item = copy.written();
  require(bytes.starts_with(item) && !copy.met_unsorted_map(), "what is skipped is in its one deterministic form");
  Reader reader(item);
  require(reader.skip() && reader.at_end(), "skipping steps over the whole item");
  require(!Reader(item.substr(0, item.size() - 1)).skip(), "an item that is cut short is refused");
}

/// The keys that a session's map holds beyond those of this version.
void check_unknown_keys(std::string_view bytes, std::uint64_t count) {
  Reader reader(bytes);
  std::uint64_t previous = 10;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto key = reader.unsigned_integer();
    require(key && *key > previous && reader.skip(), "unknown keys come last, ascend, and hold what can be skipped");
    previous = *key;
  }
  require(reader.at_end(), "nothing stands behind a session's map");
}

void check_session(std::string_view bytes) {
  const Session empty{.id = "S1", .user_id = "426", .type = "full", .lock_version = 7};
  Session session = empty;
  if (!sealing::decode_session(bytes, session)) return;
  require(session.key() == empty.key() && session.lock_version == empty.lock_version,
          "what says where a session stands is not read from its map");

  const auto encoded = sealing::encode_session(session, WriteId{});
  Session again = empty;
  require(sealing::decode_session(encoded, again) && again == session, "a session comes back as it was encoded");

  const auto count = Reader(bytes).map().value();
  const auto known_count = Reader(encoded).map().value();
  std::string head;
  Writer(head).map(count);
  const auto known = std::string_view(encoded).substr(1, encoded.size() - 1 - WriteId{}.size());
  require(count >= known_count && bytes.substr(head.size()).starts_with(known),
          "the keys of this version are in their one deterministic form");
  check_unknown_keys(bytes.substr(head.size() + known.size() + WriteId{}.size()), count - known_count);
}

}}  // namespace obol::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = obol::fuzz::Input(data, size).rest();
  obol::fuzz::check_every_read(bytes);
  obol::fuzz::check_skip(bytes);
  obol::fuzz::check_session(bytes);
  return 0;
}
