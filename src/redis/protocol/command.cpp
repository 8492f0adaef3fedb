// Encodes commands as RESP arrays of bulk strings.
#include "redis/protocol/command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr std::array containers{"ACL", "CLIENT", "CLUSTER", "CONFIG", "FUNCTION", "SENTINEL"};

/// Takes the next word of an encoded command off `bytes`, which begin with its length.
std::string_view take_word(std::string_view& bytes) {
  std::size_t size = 0;
  const auto line_end = bytes.find('\r');
  std::from_chars(bytes.data() + 1, bytes.data() + line_end, size);
  const auto word = bytes.substr(line_end + 2, size);
  bytes.remove_prefix(line_end + 2 + size + 2);
  return word;
}

}  // namespace

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

std::string Command::name() const {
  std::string_view bytes = bytes_;
  bytes.remove_prefix(bytes.find('\n') + 1);
  std::string name(take_word(bytes));
  if (std::ranges::find(containers, name) != containers.end() && !bytes.empty())
    name.append(" ").append(take_word(bytes));
  return name;
}

}}}  // namespace obol::v0::redis
