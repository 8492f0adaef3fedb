// Threads, clocks, and processor time.
#include "load.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace obol::benchmark {
namespace {

using Clock = std::chrono::steady_clock;

double processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double microseconds_at(Latencies& nanoseconds, double share) {
  if (nanoseconds.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(nanoseconds.size() - 1));
  std::ranges::nth_element(nanoseconds, nanoseconds.begin() + at);
  return nanoseconds[static_cast<std::size_t>(at)] / 1e3;
}

}  // namespace

LoadTimer::LoadTimer() : processor_(processor_seconds()), began_(Clock::now()) {}

Load LoadTimer::stop(const std::vector<Latencies>& callers) const {
  const std::chrono::duration<double> took = Clock::now() - began_;
  const auto processor = processor_seconds() - processor_;
  Latencies all;
  for (const auto& some : callers) all.insert(all.end(), some.begin(), some.end());
  const auto calls = static_cast<double>(all.size());
  return {.per_second = calls / took.count(),
          .median_us = microseconds_at(all, 0.5),
          .p99_us = microseconds_at(all, 0.99),
          .client_cpu_us = processor / calls * 1e6,
          .calls = all.size(),
          .seconds = took.count()};
}

Load put_load(std::size_t threads, std::chrono::duration<double> time, const MakeCall& make) {
  std::atomic<bool> over = false;
  std::barrier ready(static_cast<std::ptrdiff_t>(threads) + 1);
  std::vector<Latencies> latencies(threads);
  std::optional<LoadTimer> timer;
  {
    std::vector<std::jthread> callers;
    for (std::size_t thread = 0; thread < threads; ++thread) {
      callers.emplace_back([&, thread] {
        const auto call = make(thread);
        auto& mine = latencies[thread];
        mine.reserve(100'000);
        ready.arrive_and_wait();
        for (std::size_t number = 0; !over; ++number) {
          const auto start = Clock::now();
          call(number);
          mine.push_back(LoadTimer::nanoseconds_since(start));
        }
      });
    }
    ready.arrive_and_wait();
    timer.emplace();
    std::this_thread::sleep_for(time);
    over = true;
  }
  return timer->stop(latencies);
}

PutLoad from_threads(std::size_t threads, MakeCall make) {
  return
      [threads, make = std::move(make)](std::chrono::duration<double> time) { return put_load(threads, time, make); };
}

PutLoad counted_as(double calls, PutLoad load) {
  return [calls, load = std::move(load)](std::chrono::duration<double> time) {
    auto one = load(time);
    one.per_second *= calls;
    one.client_cpu_us /= calls;
    return one;
  };
}

double nanoseconds_each(std::size_t calls, const std::function<void()>& call) {
  const auto began = Clock::now();
  for (std::size_t i = 0; i < calls; ++i) call();
  return std::chrono::duration<double, std::nano>(Clock::now() - began).count() / static_cast<double>(calls);
}

}  // namespace obol::benchmark
