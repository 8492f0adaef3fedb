// Numbers in text.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace obol { inline namespace v0 {

/// The whole of the text as a decimal number; nothing where it is none, or too large.
template <class Number>
std::optional<Number> decimal(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// Two hexadecimal digits, and nothing else, as the byte that they stand for.
inline std::optional<unsigned char> hex_byte(std::string_view digits) {
  unsigned char value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2) return std::nullopt;
  return value;
}

}}  // namespace obol::v0
