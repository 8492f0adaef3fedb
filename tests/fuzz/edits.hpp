// Changes genuine bytes as an input says: bits turned, bytes put in, pieces cut off or written twice.
#pragma once

#include <string>

#include "input.hpp"

namespace obol::fuzz {

inline void edit(std::string& bytes, unsigned how, std::size_t position, unsigned value) {
  const auto at = position % (bytes.size() + 1);
  switch (how % 5) {
    case 0:
      if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(value));
      break;
    case 1:
      bytes.insert(at, 1, static_cast<char>(value));
      break;
    case 2:
      bytes.erase(at, value);
      break;
    case 3:
      bytes.resize(at);
      break;
    default:
      bytes.insert(at, bytes.substr(at, value));
  }
}

inline std::string edited(std::string bytes, Input& input) {
  while (!input.empty()) {
    const auto how = input.byte();
    const auto position = input.two_bytes();
    edit(bytes, how, position, input.byte());
  }
  return bytes;
}

}  // namespace obol::fuzz
