// What every call on a closed store fails with.
#pragma once

#include "obol/error.hpp"

namespace obol { inline namespace v0 {

inline Error closed_error() { return {ErrorCode::closed, "the store was closed; make a new one"}; }

}}  // namespace obol::v0
