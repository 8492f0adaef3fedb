// Which of a cluster's slots a key is in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace obol { inline namespace v0 { namespace redis {

constexpr std::size_t slot_count = 16384;

/// CRC-16/XMODEM: polynomial 0x1021, initially 0; goes on from `crc`.
std::uint16_t crc16(std::string_view bytes, std::uint16_t crc = 0);

/// What is hashed: what stands between the first '{' and the next '}', or the whole key where nothing does.
/// Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
std::string_view hash_tag(std::string_view key);

std::uint16_t key_slot(std::string_view key);

/// `key`, or the first with a number behind it, that is where it shall be; one that is not, where none can be found.
std::string numbered_key(std::string_view key, const std::function<bool(std::string_view)>& is_there);

/// `key` and `suffix` in the slot of `key`: where the key has no hash tag that keeps them together, with the smallest
/// number behind them that does.
std::string companion_key(std::string_view key, std::string_view suffix);

}}}  // namespace obol::v0::redis
