// Whether bytes are text.
#pragma once

#include <string_view>

namespace obol { inline namespace v0 {

/// True for well-formed UTF-8 (The Unicode Standard, table 3-7).
bool is_utf8(std::string_view bytes);

}}  // namespace obol::v0
