// Asks before what cannot be undone.
#pragma once

#include <string>

#include "obol/error.hpp"

namespace obol::ctl {

/// Asks on the terminal; nothing is asked where it `is_confirmed` already. `invalid_argument` where there is no
/// terminal.
Result<bool> confirm(const std::string& question, bool is_confirmed);

}  // namespace obol::ctl
