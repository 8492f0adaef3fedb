// Processors are taken away by affinity, and kept busy by shells in a loop.
#include "machine.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>
#include <thread>

#include "world.hpp"

namespace obol::benchmark {

OneProcessor::OneProcessor() {
  require(::sched_getaffinity(0, sizeof before_, &before_) == 0, "sched_getaffinity");
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int processor = 0; processor < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++processor) {
    if (CPU_ISSET(processor, &before_)) CPU_SET(processor, &one);
  }
  require(::sched_setaffinity(0, sizeof one, &one) == 0, "sched_setaffinity");
}

OneProcessor::~OneProcessor() { ::sched_setaffinity(0, sizeof before_, &before_); }

BusyMachine::BusyMachine() {
  // Ends by itself if this process is killed.
  std::string script = "while kill -0 $PPID; do for i in 1 2 3 4 5 6 7 8; do :; done; done 2>/dev/null";
  std::string shell = "sh";
  std::string option = "-c";
  const std::array<char*, 4> words{shell.data(), option.data(), script.data(), nullptr};
  for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i) {
    pid_t process = 0;
    require(::posix_spawnp(&process, "sh", nullptr, nullptr, words.data(), environ) == 0, "starting sh");
    processes_.push_back(process);
  }
}

BusyMachine::~BusyMachine() {
  for (const auto process : processes_) {
    ::kill(process, SIGKILL);
    ::waitpid(process, nullptr, 0);
  }
}

}  // namespace obol::benchmark
