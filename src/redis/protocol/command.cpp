// Encodes commands as RESP arrays of bulk strings.
#include "redis/protocol/command.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr std::array containers{"ACL", "CLIENT", "CLUSTER", "CONFIG", "FUNCTION", "SENTINEL"};

constexpr std::string_view line_end = "\r\n";

/// Of the line that says how many words or bytes follow.
constexpr std::size_t head_size(std::size_t count) {
  std::size_t digits = 1;
  for (; count >= 10; count /= 10) ++digits;
  return 1 + digits + line_end.size();
}

char* write_head(char* out, char type, std::size_t count) {
  *out++ = type;
  out = std::to_chars(out, out + head_size(count) - 1 - line_end.size(), count).ptr;
  return std::ranges::copy(line_end, out).out;
}

/// Takes the next word of an encoded command off `bytes`, which begin with its length.
std::string_view take_word(std::string_view& bytes) {
  std::size_t size = 0;
  const auto head_end = bytes.find('\r');
  std::from_chars(bytes.data() + 1, bytes.data() + head_end, size);
  const auto word = bytes.substr(head_end + 2, size);
  bytes.remove_prefix(head_end + 2 + size + 2);
  return word;
}

}  // namespace

Command::Command(std::initializer_list<std::string_view> words) : Command(std::span(words.begin(), words.size())) {}

Command::Command(std::span<const std::string_view> words) {
  std::size_t size = head_size(words.size());
  for (const auto word : words) size += head_size(word.size()) + word.size() + line_end.size();
  bytes_ = SmallBytes<most_in_place>(size);
  char* next = write_head(bytes_.data(), '*', words.size());
  for (const auto word : words) {
    next = write_head(next, '$', word.size());
    next = std::ranges::copy(word, next).out;
    next = std::ranges::copy(line_end, next).out;
  }
}

std::string Command::name() const {
  std::string_view bytes = bytes_.view();
  bytes.remove_prefix(bytes.find('\n') + 1);
  std::string name(take_word(bytes));
  if (std::ranges::find(containers, name) != containers.end() && !bytes.empty())
    name.append(" ").append(take_word(bytes));
  return name;
}

}}}  // namespace obol::v0::redis
