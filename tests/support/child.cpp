// Children with an alarm: a hang is a failure that says where.
#include "support/child.hpp"

#include <execinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <stdexcept>
#include <utility>

namespace obol::testing {
namespace {

constexpr unsigned patience_in_seconds = 60;
constexpr int found_wrong = 1;
constexpr int threw = 2;
constexpr int hung = 3;

void tell_where(int) {
  std::array<void*, 64> frames{};
  constexpr char text[] = "a child hangs here:\n";
  static_cast<void>(::write(STDERR_FILENO, text, sizeof text - 1));
  ::backtrace_symbols_fd(frames.data(), ::backtrace(frames.data(), static_cast<int>(frames.size())), STDERR_FILENO);
  ::_exit(hung);
}

int run(const std::function<bool()>& work) {
  std::signal(SIGALRM, tell_where);
  ::alarm(patience_in_seconds);
  try {
    return work() ? 0 : found_wrong;
  } catch (const std::exception&) {
    return threw;
  }
}

std::string meaning(int status) {
  if (!WIFEXITED(status)) return "it was ended by signal " + std::to_string(WTERMSIG(status));
  switch (WEXITSTATUS(status)) {
    case 0:
      return {};
    case found_wrong:
      return "it found something wrong";
    case threw:
      return "it threw an exception";
    case hung:
      return "it hung; see its stack above";
    default:
      return "it ended with " + std::to_string(WEXITSTATUS(status));
  }
}

}  // namespace

Child::Child(const std::function<bool()>& work) {
  // Loads what it needs, which a child of a process with threads must not.
  std::array<void*, 1> frame{};
  ::backtrace(frame.data(), 1);
  process_ = ::fork();
  if (process_ == 0) ::_exit(run(work));
  if (process_ < 0) throw std::runtime_error("no child can be forked");
}

Child::~Child() { await(); }

std::string Child::await() {
  if (process_ < 0) return {};
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0) {
    if (errno != EINTR) return "it cannot be waited for";
  }
  process_ = -1;
  return meaning(status);
}

std::string run_in_child(const std::function<bool()>& work) { return Child(work).await(); }

}  // namespace obol::testing
