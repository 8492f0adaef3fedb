// obol_scaling: what a large cluster and its clients cost each other, for docs/scaling.md: a calculation of connections
// and slot maps, and a simulation of the time after a primary was lost. Needs no server; the seed fixes all of it.
// Usage: obol_scaling [--primaries N] [--processes N] [--seed S]
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <queue>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "obol/pool_options.hpp"
#include "obol/timeouts.hpp"

namespace {

/// Seconds.
using Time = double;

double seconds_of(std::chrono::milliseconds span) { return std::chrono::duration<double>(span).count(); }

// The library's own, where no option holds them: src/redis/core/backoff.hpp, src/redis/topology/cluster.hpp.
constexpr Time first_pause = 0.010;
constexpr Time longest_pause = 0.500;
constexpr Time map_interval = 0.100;

// Measured on Redis 8.0.6 over loopback: a server's processor and memory for a connection and its HELLO.
struct Transport {
  const char* name;
  Time server_cost;
  double kilobytes;
};
constexpr Transport plain{.name = "TCP", .server_cost = 45e-6, .kilobytes = 6};
constexpr Time abandoned_cost = 20e-6;  // Accepted, and found to be closed.
constexpr Transport tls{.name = "TLS, P-256", .server_cost = 520e-6, .kilobytes = 40};

struct Settings {
  std::size_t primaries = 100;
  std::size_t processes = 1000;
  std::uint64_t seed = 1;
};

/// How a client comes back.
struct Strategy {
  const char* name;
  std::size_t connections;  ///< Wanted by each process.
  bool one_at_a_time;       ///< Else it opens all of them at once.
  bool has_jitter;          ///< Else each pause is 100 ms.
};

struct Storm {
  std::size_t attempts_while_down = 0;
  double busiest_while_down = 0;  ///< Attempts a second, in the busiest 100 ms.
  std::size_t busiest_after = 0;  ///< Attempts in the busiest 10 ms.
  std::size_t given_up = 0;       ///< Attempts that ran into Timeouts::connect.
  Time all_have_one = 0;          ///< Since the fail-over.
  Time all_have_all = 0;
};

/// A primary is lost at 0 and replaced after `fail_over`; every process calls it `calls_per_second` times a second.
class Simulation {
 public:
  Simulation(const Settings& settings, const Strategy& strategy, const Transport& transport, Time fail_over,
             double calls_per_second)
      : strategy_(strategy),
        transport_(transport),
        fail_over_(fail_over),
        random_(settings.seed),
        processes_(settings.processes) {
    std::exponential_distribution<Time> until_next_call(calls_per_second);
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      const auto dialers = strategy_.one_at_a_time ? 1 : strategy_.connections;
      const auto noticed = until_next_call(random_);
      for (std::size_t dialer = 0; dialer < dialers; ++dialer) attempts_.push({noticed, i});
    }
  }

  Storm run() {
    while (!attempts_.empty()) {
      const auto attempt = attempts_.top();
      attempts_.pop();
      attempt.time < fail_over_ ? meet_nobody(attempt) : meet_new_primary(attempt);
    }
    storm_.busiest_while_down = static_cast<double>(busiest(before_, 0.1)) / 0.1;
    storm_.busiest_after = busiest(after_, 0.01);
    return storm_;
  }

 private:
  struct Attempt {
    Time time;
    std::size_t process;
    bool operator<(const Attempt& other) const { return time > other.time; }
  };
  struct Process {
    Time bound = first_pause;
    std::size_t connections = 0;
  };

  Time next_pause(Process& process) {
    if (!strategy_.has_jitter) return 0.1;
    const auto pause = std::uniform_real_distribution<Time>(0, process.bound)(random_);
    process.bound = std::min(process.bound * 2, longest_pause);
    return pause;
  }

  // The connection is refused at once: the machine is there, the process is not.
  void meet_nobody(const Attempt& attempt) {
    ++storm_.attempts_while_down;
    before_.push_back(attempt.time);
    attempts_.push({attempt.time + next_pause(processes_[attempt.process]), attempt.process});
  }

  // One after the other: a server has one thread for this.
  void meet_new_primary(const Attempt& attempt) {
    after_.push_back(attempt.time);
    auto& process = processes_[attempt.process];
    const auto done = std::max(server_free_at_, attempt.time) + transport_.server_cost;
    if (done > attempt.time + connect_timeout_) {
      ++storm_.given_up;
      server_free_at_ += abandoned_cost;
      attempts_.push({attempt.time + connect_timeout_ + next_pause(process), attempt.process});
      return;
    }
    server_free_at_ = done;
    if (++process.connections == 1) storm_.all_have_one = std::max(storm_.all_have_one, done - fail_over_);
    storm_.all_have_all = std::max(storm_.all_have_all, done - fail_over_);
    if (strategy_.one_at_a_time && process.connections < strategy_.connections) {
      attempts_.push({done, attempt.process});
    }
  }

  static std::size_t busiest(const std::vector<Time>& times, Time span) {
    std::size_t most = 0;
    for (std::size_t first = 0, last = 0; last < times.size(); ++last) {
      while (times[last] - times[first] > span) ++first;
      most = std::max(most, last - first + 1);
    }
    return most;
  }

  const Strategy strategy_;
  const Transport transport_;
  const Time fail_over_;
  const Time connect_timeout_ = seconds_of(obol::Timeouts{}.connect);
  std::mt19937_64 random_;
  std::vector<Process> processes_;
  std::priority_queue<Attempt> attempts_;
  std::vector<Time> before_;
  std::vector<Time> after_;
  Time server_free_at_ = 0;
  Storm storm_;
};

/// Of CLUSTER SLOTS in RESP3, where each primary has one replica and so many ranges of slots.
/// Source: https://redis.io/docs/latest/commands/cluster-slots/
std::size_t map_bytes(std::size_t primaries, std::size_t ranges_each) {
  const std::string node = "*4\r\n$10\r\n10.0.100.1\r\n:6379\r\n$40\r\n" + std::string(40, 'x') + "\r\n%0\r\n";
  const std::string range = "*4\r\n:10000\r\n:10100\r\n" + node + node;
  return range.size() * primaries * ranges_each;
}

void print_connections(const Settings& settings) {
  const obol::PoolOptions pool;
  fmt::print("| connections a process has to each primary | to a server | memory there, TCP | TLS | of a process |\n");
  fmt::print("| --- | --- | --- | --- | --- |\n");
  const auto row = [&](const std::string& what, std::size_t each) {
    const auto at_server = static_cast<double>(each * settings.processes);
    fmt::print("| {} | {} | {:.0f} MB | {:.0f} MB | {} |\n", what, each * settings.processes,
               at_server * plain.kilobytes / 1000, at_server * tls.kilobytes / 1000, each * settings.primaries);
  };
  row("1: few calls at once", 1);
  row("2", 2);
  row("4", 4);
  row(fmt::format("{}: default `pool.size`, all in use", pool.size), pool.size);
  row(fmt::format("{}: with the default overflow", pool.size + pool.max_overflow), pool.size + pool.max_overflow);
}

void print_maps(const Settings& settings) {
  fmt::print("\n| slot map | bytes | all processes once | all of them as often as possible, load of one server |\n");
  fmt::print("| --- | --- | --- | --- |\n");
  for (const std::size_t ranges : {1UL, 5UL, 20UL}) {
    const auto bytes = map_bytes(settings.primaries, ranges);
    const auto once = static_cast<double>(bytes * settings.processes);
    fmt::print("| {} range{} a primary | {} | {:.0f} MB | {:.1f} MB/s |\n", ranges, ranges == 1 ? "" : "s", bytes,
               once / 1e6, once / map_interval / static_cast<double>(settings.primaries) / 1e6);
  }
}

void print_storms(const Settings& settings) {
  const obol::PoolOptions pool;
  const auto all = pool.size + pool.max_overflow;
  const std::vector<Strategy> strategies{
      {.name = "Obol, 1 connection", .connections = 1, .one_at_a_time = true, .has_jitter = true},
      {.name = "Obol, 2", .connections = 2, .one_at_a_time = true, .has_jitter = true},
      {.name = "Obol, 20", .connections = all, .one_at_a_time = true, .has_jitter = true},
      {.name = "20 at once, jitter", .connections = all, .one_at_a_time = false, .has_jitter = true},
      {.name = "20 at once, every 100 ms", .connections = all, .one_at_a_time = false, .has_jitter = false}};
  fmt::print(
      "\n| client | transport | attempts while down | a second at most | arrivals in the busiest 10 ms | timed out |"
      " each has one connection after | each has all connections after |\n| --- | --- | --- | --- | --- | --- | --- | "
      "--- |\n");
  for (const auto& transport : {plain, tls}) {
    for (const auto& strategy : strategies) {
      const auto storm = Simulation(settings, strategy, transport, 3.0, 5.0).run();
      fmt::print("| {} | {} | {} | {:.0f} | {} | {} | {:.2f} s | {:.2f} s |\n", strategy.name, transport.name,
                 storm.attempts_while_down, storm.busiest_while_down, storm.busiest_after, storm.given_up,
                 storm.all_have_one, storm.all_have_all);
    }
  }
}

[[noreturn]] void explain() {
  fmt::print(stderr, "usage: obol_scaling [--primaries N] [--processes N] [--seed S]\n");
  std::exit(2);
}

template <class Number>
void read(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number == 0 || number > 100'000) explain();
}

Settings parse(const std::vector<std::string_view>& words) {
  Settings settings;
  if (words.size() % 2 != 0) explain();
  for (std::size_t i = 0; i < words.size(); i += 2) {
    if (words[i] == "--primaries") {
      read(words[i + 1], settings.primaries);
    } else if (words[i] == "--processes") {
      read(words[i + 1], settings.processes);
    } else if (words[i] == "--seed") {
      read(words[i + 1], settings.seed);
    } else {
      explain();
    }
  }
  return settings;
}

}  // namespace

int main(int count, char** words) {
  const auto settings = parse({words + 1, words + count});
  fmt::print("{} primaries, {} processes, seed {}\n\n", settings.primaries, settings.processes, settings.seed);
  print_connections(settings);
  print_maps(settings);
  print_storms(settings);
}
