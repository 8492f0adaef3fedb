// Ctrl-C and SIGTERM: the first ends a command between two steps, the second at once.
#pragma once

#include "obol/error.hpp"

namespace obol::ctl {

void handle_interruptions();

/// An error with std::errc::interrupted once a signal has come.
Result<void> check_interruption();

}  // namespace obol::ctl
