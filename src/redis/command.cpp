// Encodes commands as RESP arrays of bulk strings.
#include "redis/command.hpp"

#include <fmt/format.h>

#include <iterator>

namespace obol::inline v0::redis {

Command::Command(std::initializer_list<std::string_view> words) : Command(std::span(words.begin(), words.size())) {}

Command::Command(std::span<const std::string_view> words) {
  std::size_t size = 16;
  for (const auto word : words) size += word.size() + 16;
  bytes_.reserve(size);
  fmt::format_to(std::back_inserter(bytes_), "*{}\r\n", words.size());
  for (const auto word : words) {
    fmt::format_to(std::back_inserter(bytes_), "${}\r\n", word.size());
    bytes_ += word;
    bytes_ += "\r\n";
  }
}

}  // namespace obol::inline v0::redis
