// Remembers that a signal came.
#include "obolctl/interruption.hpp"

#include <csignal>

namespace obol::ctl {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void remember(int /*signal*/) { interrupted = 1; }

}  // namespace

void handle_interruptions() {
  struct sigaction action{};
  action.sa_handler = remember;
  // Without SA_RESTART, so that a question to the terminal ends, too.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

Result<void> check_interruption() {
  if (interrupted == 0) return {};
  return std::unexpected(Error{std::make_error_code(std::errc::interrupted), "interrupted"});
}

}  // namespace obol::ctl
