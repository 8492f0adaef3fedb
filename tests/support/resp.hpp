// Where RESP values end: enough of the protocol to count commands and replies.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace obol::testing {

/// The end of the value that begins at `begin`; nothing while it is incomplete.
/// Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
std::optional<std::size_t> end_of_value(std::string_view bytes, std::size_t begin = 0);

/// A command's first word, as soon as it is there.
std::optional<std::string_view> first_word(std::string_view command);

}  // namespace obol::testing
