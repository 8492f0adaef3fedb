// Puts load on something from many threads and measures it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace obol::benchmark {

/// One call; `number` counts from 0 in each thread.
using Call = std::function<void(std::size_t number)>;

/// Makes the call of one thread, with whatever it needs of its own.
using MakeCall = std::function<Call(std::size_t thread)>;

struct Load {
  double per_second = 0;
  double median_us = 0;
  double p99_us = 0;
  double client_cpu_us = 0;  ///< Of this process, for each call.
  std::size_t calls = 0;
  double seconds = 0;
};

/// Nanoseconds that each call of one caller took.
using Latencies = std::vector<std::uint32_t>;

/// The time of this process and of its processors, from its construction on.
class LoadTimer {
 public:
  LoadTimer();
  /// The load until now, of the calls of all callers.
  Load stop(const std::vector<Latencies>& callers) const;

  static std::uint32_t nanoseconds_since(std::chrono::steady_clock::time_point start) {
    return static_cast<std::uint32_t>(std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count());
  }

 private:
  double processor_;
  std::chrono::steady_clock::time_point began_;
};

/// Puts load on something for that long.
using PutLoad = std::function<Load(std::chrono::duration<double> time)>;

/// Calls from so many threads for that long. All threads are ready before the clock starts.
Load put_load(std::size_t threads, std::chrono::duration<double> time, const MakeCall& make);

/// The same, for later.
PutLoad from_threads(std::size_t threads, MakeCall make);

/// Load of which each call counts as so many.
PutLoad counted_as(double calls, PutLoad load);

/// Nanoseconds for each call, in this thread.
double nanoseconds_each(std::size_t calls, const std::function<void()>& call);

/// Calls of operator new by this process so far.
std::uint64_t allocations();

}  // namespace obol::benchmark
