// obol_watching: what watched sessions cost this process and its server, and how soon an end is told.
// Usage: obol_watching [--server redis|valkey|URI] [--sessions N]     scripts/bench --watching builds and runs it.
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "obol/session_watch.hpp"
#include "server_arguments.hpp"
#include "world.hpp"

namespace {

using namespace obol::benchmark;
using Time = std::chrono::steady_clock;

constexpr std::size_t sessions_each = 2;
constexpr std::size_t timed_ends = 2000;
constexpr int busy_writes = 20'000;

double heap_bytes() {
  const auto heap = ::mallinfo2();
  return static_cast<double>(heap.uordblks + heap.hblkhd);
}

/// Of this process, in milliseconds.
double processor_ms() {
  ::timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

/// Milliseconds from a call until the condition holds.
template <class Holds>
double milliseconds_until(Time::time_point since, const Holds& holds) {
  while (!holds()) pause();
  return std::chrono::duration<double, std::milli>(Time::now() - since).count();
}

struct Ends {
  std::atomic<std::size_t> told = 0;
  std::atomic<Time::rep> last_at = 0;

  obol::SessionWatchHandler handler() {
    return [this](const obol::SessionWatchEvent& event) {
      if (event.status != obol::SessionStatus::ended) return;
      last_at = Time::now().time_since_epoch().count();
      ++told;
    };
  }
};

void print(std::string_view what, double figure, std::string_view unit) {
  fmt::print("| {} | {:.1f} {} |\n", what, figure, unit);
  std::fflush(stdout);
}

double quantile(std::vector<double> values, double share) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

/// One end after the other, from the answer to the delete on.
void measure_latency(World& world, Ends& ends) {
  std::vector<double> microseconds;
  for (std::size_t i = 0; i < std::min(timed_ends, world.keys().size() / 2); ++i) {
    const auto told = ends.told.load();
    const auto asked_at = Time::now();
    require(world.store().delete_one(world.keys()[i * sessions_each]).has_value(), "delete_one");
    while (ends.told.load() == told) std::this_thread::yield();
    const Time::time_point told_at{Time::duration(ends.last_at.load())};
    microseconds.push_back(std::chrono::duration<double, std::micro>(told_at - asked_at).count());
  }
  print("delete begun until the handler runs, median", quantile(microseconds, 0.5), "µs");
  print("the same, 99th percentile", quantile(microseconds, 0.99), "µs");
}

/// What others write does not reach the watch.
void measure_others(World& world, obol::SessionWatch& watch) {
  const auto reads = watch.statistics().reads;
  const auto before = processor_ms();
  auto stranger = make_session(1'000'000'000, 0);
  for (int i = 0; i < busy_writes; ++i) require(world.store().upsert(stranger).has_value(), "upsert");
  const auto writes_ms = processor_ms() - before;
  print("reads of the watch for 20,000 writes of others", static_cast<double>(watch.statistics().reads - reads), "");
  print("this process's processor time for each of these writes", writes_ms * 1e3 / busy_writes, "µs");
}

void measure(const ServerArguments& arguments, const std::string& name) {
  Server server = arguments.connect(name);
  World world(server, arguments.sessions / sessions_each, sessions_each);
  const auto count = world.keys().size();
  const auto each = static_cast<double>(count);
  fmt::print("\n{}, {} watched sessions of {} users\n\n| what | |\n| --- | ---: |\n", server.name(), count,
             world.users());
  auto watch = obol::SessionWatch::connect(options_for(server)).value();
  Ends ends;
  std::vector<obol::WatchHandle> handles;
  handles.reserve(count);
  const auto server_before = server.used_memory();
  const auto heap_before = heap_bytes();
  const auto processor_before = processor_ms();
  const auto began = Time::now();
  for (const auto& key : world.keys()) handles.push_back(watch.watch(key, ends.handler()).value());
  const auto is_read = [&] { return watch.statistics().reads >= world.users(); };
  print("until all are watched", milliseconds_until(began, is_read), "ms");
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  print("processor time for each watch", (processor_ms() - processor_before) * 1e3 / each, "µs");
  print("memory of this process for each watch", (heap_bytes() - heap_before) / each, "bytes");
  print("memory of the server for each watch", (server.used_memory() - server_before) / each, "bytes");
  const auto idle_before = processor_ms();
  std::this_thread::sleep_for(std::chrono::seconds(3));
  print("processor time while nothing happens, for a second", (processor_ms() - idle_before) / 3, "ms");
  measure_others(world, watch);
  measure_latency(world, ends);
  const auto told = ends.told.load();
  const auto ended_before = processor_ms();
  const auto flushed = Time::now();
  server.clean();
  const auto all = milliseconds_until(flushed, [&] { return ends.told.load() == count; });
  print("all others deleted until all are told", all, "ms");
  print("processor time for each of them", (processor_ms() - ended_before) * 1e3 / static_cast<double>(count - told),
        "µs");
  print("connections lost", static_cast<double>(watch.statistics().connection_losses), "");
}

}  // namespace

int main(int count, char** words) {
  const auto arguments = ServerArguments::parse("obol_watching", 100'000, count, words);
  for (const auto& server : arguments.servers) measure(arguments, server);
}
