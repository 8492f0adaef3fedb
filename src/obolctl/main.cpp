// obolctl: the operator's tool. docs/man/obolctl.1 says what it does.
#include <csignal>
#include <cstdio>
#include <exception>

#include "obolctl/command_line.hpp"
#include "obolctl/interruption.hpp"
#include "obolctl/text.hpp"

namespace {

using obol::ctl::ExitCode;

// The disk may be full only when the last buffer is written.
ExitCode flushed(ExitCode code) {
  if (std::fflush(stdout) == 0) return code;
  std::fputs("obolctl: error: the output could not be written\n", stderr);
  return ExitCode::failed;
}

}  // namespace

int main(int count, char** words) {
  // `obolctl list ... | head` ends quietly, also where the shell's parent ignores the signal.
  std::signal(SIGPIPE, SIG_DFL);
  obol::ctl::handle_interruptions();
  try {
    return static_cast<int>(flushed(obol::ctl::run(count, words, obol::ctl::process_environment())));
  } catch (const std::exception& error) {
    std::fputs(("obolctl: error: " + obol::ctl::printable(error.what()) + "\n").c_str(), stderr);
    return static_cast<int>(ExitCode::failed);
  }
}
