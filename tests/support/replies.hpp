// Replies as a server could have sent them, and the words of commands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"

namespace obol::testing {

/// The text must outlive the reply.
inline redis::Reply text(std::string_view words) { return {.kind = redis::Reply::Kind::text, .text = words}; }
inline redis::Reply number(std::int64_t value) { return {.kind = redis::Reply::Kind::integer, .integer = value}; }
inline redis::Reply nil() { return {}; }

/// A list, a map or a push of these.
template <class... Elements>
redis::Reply reply_of(redis::Reply::Kind kind, Elements... elements) {
  redis::Reply reply{.kind = kind};
  (reply.elements.push_back(std::move(elements)), ...);
  return reply;
}

template <class... Elements>
redis::Reply list(Elements... elements) {
  return reply_of(redis::Reply::Kind::list, std::move(elements)...);
}

/// Several replies.
inline std::vector<redis::Reply> numbers(std::initializer_list<std::int64_t> values) {
  std::vector<redis::Reply> made;
  for (const auto value : values) made.push_back(number(value));
  return made;
}

/// The one reply that stands in these bytes.
inline redis::Reply parsed(std::string_view bytes) {
  redis::ReplyReader reader(std::size_t{64} << 20U);
  reader.feed(bytes);
  return reader.next().value().value();
}

inline std::vector<std::string> words_of(const redis::Command& command) {
  const auto read = parsed(command.bytes());
  std::vector<std::string> words;
  for (const auto& element : read.elements) words.emplace_back(element.text);
  return words;
}

}  // namespace obol::testing
