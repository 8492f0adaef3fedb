// Hashes keys as a cluster's servers do.
#include "redis/protocol/key_slot.hpp"

#include <fmt/format.h>

#include <array>

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr auto table = [] {
  std::array<std::uint16_t, 256> entries{};
  for (unsigned byte = 0; byte < entries.size(); ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc << 1) ^ ((crc & 0x8000U) != 0 ? 0x1021U : 0U);
    entries[byte] = static_cast<std::uint16_t>(crc);
  }
  return entries;
}();

std::uint16_t slot_of(std::uint16_t crc) { return crc % slot_count; }

}  // namespace

std::uint16_t crc16(std::string_view bytes, std::uint16_t crc) {
  for (const char c : bytes) {
    const auto index = static_cast<unsigned char>((crc >> 8) ^ static_cast<unsigned char>(c));
    crc = static_cast<std::uint16_t>((crc << 8) ^ table[index]);
  }
  return crc;
}

std::string_view hash_tag(std::string_view key) {
  const auto open = key.find('{');
  if (open == std::string_view::npos) return key;
  const auto close = key.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

std::uint16_t key_slot(std::string_view key) { return slot_of(crc16(hash_tag(key))); }

std::string numbered_key(std::string_view key, const std::function<bool(std::string_view)>& is_there) {
  std::string found(key);
  for (std::size_t number = 0; number < slot_count * 10 && !is_there(found); ++number) {
    found = fmt::format("{}{}", key, number);
  }
  return found;
}

std::string companion_key(std::string_view key, std::string_view suffix) {
  std::string companion = std::string(key).append(suffix);
  const auto slot = key_slot(key);
  if (key_slot(companion) == slot) return companion;
  const auto crc = crc16(companion);
  for (unsigned number = 0;; ++number) {
    const auto digits = fmt::format("{}", number);
    if (slot_of(crc16(digits, crc)) == slot) return companion + digits;
  }
}

}}}  // namespace obol::v0::redis
