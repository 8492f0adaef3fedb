// Escapes texts and prints lines.
#include "log.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace example {

std::string printable(std::string_view text) {
  std::string line;
  for (const char byte : text) {
    if (byte == '\\') {
      line += R"(\\)";
    } else if (byte >= ' ' && byte <= '~') {
      line += byte;
    } else {
      line += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    }
  }
  return line;
}

void log_line(std::string_view text) { fmt::print(stderr, "{}\n", printable(text)); }

}  // namespace example
