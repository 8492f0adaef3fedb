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

/// All bytes of a reply lie in one piece that the outermost reply owns: the thread that reads it and the one that uses
/// it are not the same, and what one thread allocates and another frees is dear.
struct Reply {
  enum class Kind { nil, integer, text, error, list, map, push, other };

  Kind kind = Kind::nil;
  std::int64_t integer = 0;
  std::string_view text{};                ///< Of text and error; lives as long as the outermost reply.
  std::vector<Reply> elements{};          ///< Of list, map (key, value, key, value, …) and push.
  std::unique_ptr<const char[]> bytes{};  ///< Of the outermost reply: what all texts within point into.

  bool is_error() const { return kind == Kind::error; }

  /// An error's first word, such as "READONLY": the part that servers promise to keep.
  std::string_view error_word() const { return text.substr(0, text.find(' ')); }

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
  bool has_unread_bytes() const { return unread_bytes_ > 0; }

 private:
  struct Free {
    void operator()(redisReader* reader) const noexcept;
  };
  Result<bool> feed_some();
  void give_bytes(Reply& reply);

  std::unique_ptr<redisReader, Free> reader_;
  std::unique_ptr<std::string> texts_ = std::make_unique<std::string>();  ///< Of the reply that is being read.
  std::size_t maximum_bytes_;
  std::size_t unread_bytes_ = 0;  ///< Here and in the reader, since the last reply.
  std::string received_;          ///< From `fed_` on not in the reader yet.
  std::size_t fed_ = 0;
};

}  // namespace obol::inline v0::redis
