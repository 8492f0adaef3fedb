// Reads the command line and runs the command it names.
#pragma once

#include "obolctl/exit_code.hpp"
#include "obolctl/settings.hpp"

namespace obol::ctl {

/// Prints results to standard output and everything else to standard error. Never throws what CLI11 throws.
ExitCode run(int count, const char* const* words, const Environment& environment);

}  // namespace obol::ctl
