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

namespace obol { inline namespace v0 { namespace redis {

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

struct ReplyBuild;

/// Makes replies out of bytes as they come, with hiredis' parser. A reply that would cost more than `max_bytes`,
/// and nesting deeper than any reply Obol asks for, are refused, so that no server can exhaust memory or stack.
class ReplyReader {
 public:
  /// What an element of a list, map or push costs beside its bytes. An empty one is sent as three bytes.
  static constexpr std::size_t element_cost = sizeof(Reply);

  /// A reply's cost: its bytes as received, and `element_cost` for each element that it announces.
  explicit ReplyReader(std::size_t max_bytes);

  /// Takes bytes that were received.
  void feed(std::string_view bytes);

  /// The next whole reply, nothing while it is incomplete. `too_large` if it costs too much, `protocol` if it is none
  /// or too much went unused in front of it, std::bad_alloc: the connection is of no use any more.
  Result<std::optional<Reply>> next();

  /// The push taken out last goes unused. All of these in front of one reply together may cost as much as a reply.
  void count_as_waste();

  /// True while bytes are held that belong to no reply taken out yet.
  bool has_unread_bytes() const;

 private:
  struct Free {
    void operator()(redisReader* reader) const noexcept;
  };
  struct FreeBuild {
    void operator()(ReplyBuild* build) const noexcept;
  };

  Result<bool> feed_some();
  Result<std::optional<Reply>> take_out(Reply& reply);
  void give_memory_back();

  std::unique_ptr<ReplyBuild, FreeBuild> build_;
  std::unique_ptr<redisReader, Free> parser_;
  std::string received_;  ///< From `fed_` on not in the parser yet.
  std::size_t fed_ = 0;
};

}}}  // namespace obol::v0::redis
