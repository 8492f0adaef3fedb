// Names of error codes, for labels and addresses.
#pragma once

#include <string_view>

#include "obol/error.hpp"

namespace obol::inline v0 {

/// As the enumerator is called; "other" for what this release does not know.
std::string_view name_of(ErrorCode code) noexcept;

}  // namespace obol::inline v0
