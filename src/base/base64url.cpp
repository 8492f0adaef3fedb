// Base64url without padding, strict in decoding.
#include "base/base64url.hpp"

#include <cstdint>

namespace obol { inline namespace v0 {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::optional<std::uint32_t> digit_value(char c) {
  const auto position = alphabet.find(c);
  if (position == std::string_view::npos) return std::nullopt;
  return static_cast<std::uint32_t>(position);
}

}  // namespace

std::string base64url_encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (const char byte : bytes) {
    buffer = ((buffer << 8) | static_cast<unsigned char>(byte)) & 0xFFFF;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text += alphabet[(buffer >> bits) & 63];
    }
  }
  if (bits > 0) text += alphabet[(buffer << (6 - bits)) & 63];
  return text;
}

std::optional<std::string> base64url_decode(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const auto value = digit_value(c);
    if (!value) return std::nullopt;
    buffer = ((buffer << 6) | *value) & 0xFFFF;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>((buffer >> bits) & 0xFF);
    }
  }
  const bool stray_bits = (buffer & ((1U << bits) - 1)) != 0;
  if (bits >= 6 || stray_bits) return std::nullopt;
  return bytes;
}

}}  // namespace obol::v0
