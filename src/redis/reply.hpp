// A server's reply as a plain value, and the reader that makes replies out of bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "obol/error.hpp"

struct redisReader;  // NOLINT(readability-identifier-naming): hiredis names it

namespace obol::inline v0::redis {

struct Reply {
  enum class Kind { nil, integer, text, error, list, map, push, other };

  Kind kind = Kind::nil;
  std::int64_t integer = 0;
  std::string text;             ///< Of text and error.
  std::vector<Reply> elements;  ///< Of list, map (key, value, key, value, …) and push.

  bool is_error() const { return kind == Kind::error; }

  /// An error's first word, such as "READONLY": the part that servers promise to keep.
  std::string_view error_word() const { return std::string_view(text).substr(0, text.find(' ')); }

  /// The value under a text key of a map; null where there is none.
  const Reply* find(std::string_view key) const;
};

/// Makes replies out of bytes as they come, with hiredis' parser. Holds at most `maximum_bytes` for one reply, and
/// refuses nesting deeper than any reply Obol asks for, so that no server can exhaust memory or stack.
class ReplyReader {
 public:
  explicit ReplyReader(std::size_t maximum_bytes);

  /// Takes bytes that were received. `protocol` or `too_large`: the connection is of no use any more.
  Result<void> feed(std::string_view bytes);

  /// The next whole reply, nothing while it is incomplete, or the error that ends the connection.
  Result<std::optional<Reply>> next();

  /// True while bytes are held that belong to no reply taken out yet.
  bool has_unread_bytes() const { return bytes_since_reply_ > 0; }

 private:
  struct Free {
    void operator()(redisReader* reader) const noexcept;
  };
  std::unique_ptr<redisReader, Free> reader_;
  std::size_t maximum_bytes_;
  std::size_t bytes_since_reply_ = 0;
};

}  // namespace obol::inline v0::redis
