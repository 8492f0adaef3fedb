// The bytes of one input, taken off the front as choices and strings.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace obol::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }

  /// 0 at the end.
  unsigned byte() { return empty() ? 0 : static_cast<unsigned char>(take(1).front()); }

  unsigned two_bytes() {
    const unsigned high = byte();
    return high << 8 | byte();
  }

  /// Up to 255 bytes: a length, then as many of them as there are.
  std::string_view short_string() { return take(byte()); }

  /// As many of these as there are.
  std::string_view take(std::size_t bytes) {
    const auto taken = rest_.substr(0, bytes);
    rest_.remove_prefix(taken.size());
    return taken;
  }

  std::string_view rest() { return take(rest_.size()); }

 private:
  std::string_view rest_;
};

}  // namespace obol::fuzz
