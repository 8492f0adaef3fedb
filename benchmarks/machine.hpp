// What the machine is like during a measurement: one processor only, or all of them busy.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <vector>

namespace obol::benchmark {

/// The calling thread, and the threads and processes that it starts, have one processor to share until this is
/// destroyed.
class OneProcessor {
 public:
  OneProcessor();
  ~OneProcessor();
  OneProcessor(const OneProcessor&) = delete;
  OneProcessor& operator=(const OneProcessor&) = delete;

 private:
  cpu_set_t before_{};
};

/// A process for each processor that computes and never sleeps, until this is destroyed.
class BusyMachine {
 public:
  BusyMachine();
  ~BusyMachine();
  BusyMachine(const BusyMachine&) = delete;
  BusyMachine& operator=(const BusyMachine&) = delete;

 private:
  std::vector<pid_t> processes_;
};

}  // namespace obol::benchmark
