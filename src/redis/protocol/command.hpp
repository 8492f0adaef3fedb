// A command in the form the server reads: a RESP array of bulk strings.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "base/small_bytes.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// An encoded command. Made whole, so a command can be sent again as the very same bytes.
/// Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
class Command {
 public:
  /// No command; only for a place that a command is assigned to later.
  Command() {}  // NOLINT(modernize-use-equals-default): {} would then write zeros into all of its bytes.
  Command(std::initializer_list<std::string_view> words);
  explicit Command(std::span<const std::string_view> words);

  std::string_view bytes() const { return bytes_.view(); }

  /// One of its words, counted from 0; it must have as many.
  std::string_view word(std::size_t index) const;

  /// The same with another first and second word.
  Command with_first_words(std::string_view first, std::string_view second) const;

  /// What it is called in messages: its first word, for a container such as CLUSTER also its second.
  std::string name() const;

 private:
  /// Enough for the HGET of a session whose user id is a UUID.
  static constexpr std::size_t most_in_place = 208;

  SmallBytes<most_in_place> bytes_;
};

}}}  // namespace obol::v0::redis
