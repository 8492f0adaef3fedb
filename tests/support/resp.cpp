// Walks over RESP values by their lengths.
#include "support/resp.hpp"

#include <charconv>

namespace obol::testing {
namespace {

struct Line {
  long long number = 0;
  std::size_t end = 0;
};

std::optional<Line> line_at(std::string_view bytes, std::size_t begin) {
  const auto end = bytes.find("\r\n", begin);
  if (end == std::string_view::npos) return std::nullopt;
  Line line{.end = end + 2};
  std::from_chars(bytes.data() + begin + 1, bytes.data() + end, line.number);
  return line;
}

std::optional<std::size_t> end_of_elements(std::string_view bytes, std::size_t begin, long long count) {
  for (; count > 0; --count) {
    const auto end = end_of_value(bytes, begin);
    if (!end) return std::nullopt;
    begin = *end;
  }
  return begin;
}

}  // namespace

std::optional<std::size_t> end_of_value(std::string_view bytes, std::size_t begin) {
  const auto line = line_at(bytes, begin);
  if (!line) return std::nullopt;
  switch (bytes[begin]) {
    case '$':
    case '=':
    case '!': {
      const auto end = line->number < 0 ? line->end : line->end + static_cast<std::size_t>(line->number) + 2;
      return end <= bytes.size() ? std::optional(end) : std::nullopt;
    }
    case '*':
    case '~':
    case '>':
      return end_of_elements(bytes, line->end, line->number);
    case '%':
      return end_of_elements(bytes, line->end, 2 * line->number);
    case '|':  // Attributes, and the value they belong to.
      return end_of_elements(bytes, line->end, 2 * line->number + 1);
    default:
      return line->end;
  }
}

std::optional<std::string_view> first_word(std::string_view command) {
  const auto array = line_at(command, 0);
  if (!array || array->end == command.size()) return std::nullopt;
  const auto length = line_at(command, array->end);
  const auto end = end_of_value(command, array->end);
  if (!length || !end) return std::nullopt;
  return command.substr(length->end, *end - 2 - length->end);
}

}  // namespace obol::testing
