// Encodes commands as RESP arrays of bulk strings.
#include "redis/protocol/command.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr std::array containers{"ACL", "CLIENT", "CLUSTER", "CONFIG", "FUNCTION", "SCRIPT", "SENTINEL"};

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

constexpr std::size_t size_of_word(std::string_view word) {
  return head_size(word.size()) + word.size() + line_end.size();
}

char* write_word(char* out, std::string_view word) {
  out = write_head(out, '$', word.size());
  out = std::ranges::copy(word, out).out;
  return std::ranges::copy(line_end, out).out;
}

/// The words of an encoded command, each with its length.
std::string_view behind_head(std::string_view bytes) { return bytes.substr(bytes.find('\n') + 1); }

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
  for (const auto word : words) size += size_of_word(word);
  bytes_ = SmallBytes<most_in_place>(size);
  char* next = write_head(bytes_.data(), '*', words.size());
  for (const auto word : words) next = write_word(next, word);
}

std::string_view Command::word(std::size_t index) const {
  auto bytes = behind_head(bytes_.view());
  while (index-- > 0) take_word(bytes);
  return take_word(bytes);
}

Command Command::with_first_words(std::string_view first, std::string_view second) const {
  auto rest = behind_head(bytes_.view());
  const auto head = bytes_.view().substr(0, bytes_.view().size() - rest.size());
  take_word(rest);
  take_word(rest);
  Command other;
  other.bytes_ = SmallBytes<most_in_place>(head.size() + size_of_word(first) + size_of_word(second) + rest.size());
  char* next = std::ranges::copy(head, other.bytes_.data()).out;
  next = write_word(next, first);
  next = write_word(next, second);
  std::ranges::copy(rest, next);
  return other;
}

std::string Command::name() const {
  auto bytes = behind_head(bytes_.view());
  std::string name(take_word(bytes));
  if (std::ranges::find(containers, name) != containers.end() && !bytes.empty())
    name.append(" ").append(take_word(bytes));
  return name;
}

}}}  // namespace obol::v0::redis
