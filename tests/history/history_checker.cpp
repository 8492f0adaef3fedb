// Holds a store under random faults to its promises: random calls, then the check that their history is possible.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <exception>
#include <future>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "history/forks.hpp"
#include "history/history.hpp"
#include "history/manager_workload.hpp"
#include "history/outage.hpp"
#include "history/random_faults.hpp"
#include "history/stores.hpp"
#include "history/topology.hpp"
#include "history/workload.hpp"
#include "support/fault_proxy.hpp"
#include "support/recording_observer.hpp"
#include "support/sessions.hpp"
#include "support/test_server.hpp"

namespace obol::testing::history { namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

/// So much later than the servers are back, calls succeed again.
constexpr std::chrono::seconds patience{2};
constexpr milliseconds calm{500};

/// On several servers the time counts, not the number of calls.
constexpr milliseconds pause_between_calls{4};

/// More than the callers ever have on their way at once. A command that is counted for ever uses it up.
constexpr std::size_t most_waiting = 500;

enum class Where { single, sentinel, cluster };
enum class Kinds { blocking, async, both };

struct Arguments {
  ServerKind server = ServerKind::redis;
  Where topology = Where::single;
  bool near_cache = false;
  bool forks = false;
  bool clock_jumps = false;
  bool managers = false;
  bool durable_deletes = false;
  FunctionLoading functions = FunctionLoading::load_at_connect;
  std::string_view stores_name = "blocking";
  Kinds stores = Kinds::blocking;
  std::size_t drivers = 1;
  std::vector<std::string> events{};
  std::size_t rounds = 1;
  WorkloadOptions workload{};
};

constexpr std::string_view usage =
    "usage: obol_history_checker [--server redis|valkey] [--near-cache on|off] [--forks on|off]\n"
    "                            [--clock-jumps on|off] [--calls N] [--threads N] [--seed S]\n"
    "                            [--store blocking|async|both] [--drivers N] [--functions library|scripts]\n"
    "       obol_history_checker --managers on [--server redis|valkey] [--calls N] [--threads N] [--seed S]\n"
    "                            [--store blocking|async]\n"
    "       obol_history_checker --topology sentinel|cluster [--events NAME,NAME] [--rounds N]\n"
    "                            [--durable-deletes on|off] [--server redis|valkey] [--near-cache on|off]\n"
    "                            [--threads N] [--seed S] [--store blocking|async|both] [--drivers N]\n"
    "                            [--functions library|scripts]\n"
    "The first makes calls to one server through a proxy that does faults; with forks, children do "
    "meanwhile\nwhat they may do with the stores.\n"
    "The second makes calls of session managers.\n"
    "The third makes them for as long as it takes to let every event happen in random order, as often as said; a "
    "wrong\n"
    "name gets the list of events.\n"
    "With --store async or both, calls go to one asynchronous store for each driver, too, and some are given up.\n";

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number > 0;
}

bool read_switch(std::string_view text, bool& is_on) {
  is_on = text == "on";
  return is_on || text == "off";
}

template <class Value>
bool read_name(std::string_view text, Value& value, std::initializer_list<std::pair<std::string_view, Value>> names) {
  const auto* const found = std::ranges::find(names, text, [](const auto& name) { return name.first; });
  if (found == names.end()) return false;
  value = found->second;
  return true;
}

bool take(Arguments& arguments, std::string_view option, std::string_view value) {
  if (option == "--calls") return read_number(value, arguments.workload.calls);
  if (option == "--threads") return read_number(value, arguments.workload.threads);
  if (option == "--seed") return read_number(value, arguments.workload.seed);
  if (option == "--rounds") return read_number(value, arguments.rounds);
  if (option == "--near-cache") return read_switch(value, arguments.near_cache);
  if (option == "--forks") return read_switch(value, arguments.forks);
  if (option == "--managers") return read_switch(value, arguments.managers);
  if (option == "--clock-jumps") return read_switch(value, arguments.clock_jumps);
  if (option == "--functions") {
    return read_name(value, arguments.functions,
                     {{"library", FunctionLoading::load_at_connect}, {"scripts", FunctionLoading::scripts}});
  }
  if (option == "--durable-deletes") return read_switch(value, arguments.durable_deletes);
  if (option == "--store") {
    arguments.stores_name = value;
    return read_name(value, arguments.stores,
                     {{"blocking", Kinds::blocking}, {"async", Kinds::async}, {"both", Kinds::both}});
  }
  if (option == "--drivers") return read_number(value, arguments.drivers);
  if (option == "--events") {
    for (const auto name : std::views::split(value, ',')) arguments.events.emplace_back(name.begin(), name.end());
    return true;
  }
  if (option == "--topology") {
    return read_name(value, arguments.topology,
                     {{"single", Where::single}, {"sentinel", Where::sentinel}, {"cluster", Where::cluster}});
  }
  return option == "--server" &&
         read_name(value, arguments.server, {{"redis", ServerKind::redis}, {"valkey", ServerKind::valkey}});
}

std::optional<Arguments> parse(int count, char** words) {
  Arguments arguments;
  arguments.workload.seed = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  if (count % 2 == 0) return std::nullopt;
  for (int i = 1; i < count; i += 2) {
    if (!take(arguments, words[i], words[i + 1])) return std::nullopt;
  }
  // A blocking store does not share its near cache with an asynchronous one.
  if (arguments.near_cache && arguments.stores == Kinds::both) return std::nullopt;
  if (arguments.managers && (arguments.topology != Where::single || arguments.stores == Kinds::both))
    return std::nullopt;
  return arguments;
}

StoresOptions stores_of(const Arguments& arguments) {
  return {.blocking = arguments.stores != Kinds::async,
          .drivers = arguments.stores == Kinds::blocking ? 0 : arguments.drivers,
          .has_limits = arguments.topology == Where::single,
          .seed = arguments.workload.seed};
}

void print_near_cache(const Stores& stores) {
  const auto statistics = stores.near_cache_statistics();
  fmt::print("near cache: {} hits, {} misses\n", statistics.hits, statistics.misses);
}

/// Feels how long the machine, or this process, stood still: what fell into that time came later than it should.
class StandstillWatch {
 public:
  /// The longest time until now.
  Time longest() const { return longest_; }

 private:
  void watch(const std::stop_token& stop) {
    constexpr milliseconds nap{10};
    while (!stop.stop_requested()) {
      const auto start = now();
      std::this_thread::sleep_for(nap);
      longest_ = std::max(longest_.load(), now() - start - nanoseconds(nap).count());
    }
  }

  std::atomic<Time> longest_ = 0;
  std::jthread thread_{[this](const std::stop_token& stop) { watch(stop); }};
};

/// A host's clock that is now and then two hours behind the server's: what lives for an hour by the one is past for the
/// other. Seen from here a server whose clock jumps ahead is the same.
class JumpingClock {
 public:
  Clock clock() {
    return [behind = behind_] { return std::chrono::system_clock::now() - std::chrono::hours(*behind ? 2 : 0); };
  }

 private:
  void jump(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(milliseconds(*behind_ ? 5 : 20));
      *behind_ = !*behind_;
    }
  }

  const std::shared_ptr<std::atomic<bool>> behind_ = std::make_shared<std::atomic<bool>>(false);
  std::jthread thread_{[this](const std::stop_token& stop) { jump(stop); }};
};

/// Takes the scripts from the server again and again.
class LosingFunctions {
 public:
  explicit LosingFunctions(const TestServer& server)
      : thread_([&server](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            std::this_thread::sleep_for(milliseconds(10));
            server.command({"SCRIPT", "FLUSH"});
          }
        }) {}

 private:
  std::jthread thread_;
};

/// Makes the calls through the proxy, then reads the final state from the server itself.
/// Gives what children broke.
std::vector<std::string> act_through_proxy(Workload& workload, const Arguments& arguments,
                                           const std::shared_ptr<RecordingObserver>& observer) {
  const TestServer server(arguments.server);
  FaultProxy proxy(server);
  auto options = options_for(server, observer);
  options.connection = proxy.connection();
  options.timeouts = {.connect = milliseconds(1000), .command = milliseconds(100), .total = milliseconds(5000)};
  options.pool = {.size = 8, .max_overflow = 2, .max_waiting = most_waiting};
  options.near_cache = {.enabled = arguments.near_cache, .max_staleness = milliseconds(150)};
  options.clock = arguments.workload.clock;
  options.functions = arguments.functions;
  std::vector<std::string> broken;
  {
    Stores stores(options, stores_of(arguments));
    proxy.follow(RandomFaults(arguments.workload.seed));
    std::optional<Forks> forks;
    if (arguments.forks) forks.emplace(stores, options);
    {
      std::optional<LosingFunctions> losing;
      if (arguments.functions == FunctionLoading::scripts) losing.emplace(server);
      workload.run(stores.places());
    }
    if (forks) {
      broken = forks->end();
      fmt::print("forks: {}\n", forks->count());
    }
    if (arguments.near_cache) print_near_cache(stores);
  }
  proxy.heal();
  fmt::print("faults: {} in {} commands, {} connections\n", proxy.faults(), proxy.commands(), proxy.connections());
  auto direct = store_on(server, observer);
  workload.read_everything(direct);
  return broken;
}

/// Lets each event happen while calls are made, and gives callers time to find their way before the next.
std::vector<Event> let_happen(Topology& topology, const std::vector<std::string>& names, const Workload& workload) {
  std::vector<Event> events;
  std::this_thread::sleep_for(calm);
  for (const auto& name : names) {
    auto event = topology.happen(name, workload.users_now());
    std::this_thread::sleep_until(std::chrono::steady_clock::time_point(nanoseconds(event.restored)) + patience + calm);
    topology.mend(event);
    std::this_thread::sleep_for(calm);
    event.over = now();
    events.push_back(std::move(event));
  }
  return events;
}

std::unique_ptr<Topology> make_topology(const Arguments& arguments) {
  if (arguments.topology == Where::single) return nullptr;
  return arguments.topology == Where::cluster ? make_cluster(arguments.server) : make_sentinel(arguments.server);
}

std::vector<std::string> in_random_order(const Arguments& arguments, std::vector<std::string> all) {
  const auto& chosen = arguments.events.empty() ? all : arguments.events;
  for (const auto& name : chosen) {
    if (std::ranges::find(all, name) == all.end()) {
      throw std::runtime_error(fmt::format("no event '{}'; there are {}", name, fmt::join(all, ", ")));
    }
  }
  std::vector<std::string> names;
  for (std::size_t round = 0; round < arguments.rounds; ++round)
    names.insert(names.end(), chosen.begin(), chosen.end());
  std::ranges::shuffle(names, std::mt19937_64(arguments.workload.seed));
  return names;
}

std::vector<Event> act_on_many(Topology& topology, Workload& workload, const Arguments& arguments,
                               const std::shared_ptr<RecordingObserver>& observer) {
  const auto names = in_random_order(arguments, topology.events());
  RedisStoreOptions options = options_for(topology.connection(), observer);
  options.timeouts = {};  // As they come: what callers feel of an outage hangs on them.
  options.near_cache = {.enabled = arguments.near_cache, .max_staleness = milliseconds(150)};
  options.functions = arguments.functions;
  options.delete_durability.replicas = arguments.durable_deletes ? topology.replicas() : 0;
  Stores stores(options, stores_of(arguments));
  auto calls = std::async(std::launch::async, [&] { workload.run(stores.places()); });
  const std::shared_ptr<void> at_the_end(nullptr, [&](void*) { workload.stop(); });
  auto events = let_happen(topology, names, workload);
  workload.stop();
  calls.get();
  if (arguments.near_cache) print_near_cache(stores);
  workload.read_everything(*stores.places().front().store);
  return events;
}

void print_outcomes(const std::vector<Call>& calls) {
  std::map<Outcome, std::size_t> counts;
  for (const auto& call : calls) ++counts[call.outcome];
  fmt::print("calls: {}; done {}, conflict {}, gone {}, expired {}, unknown {}, given up {}\n", calls.size(),
             counts[Outcome::done], counts[Outcome::conflict], counts[Outcome::gone], counts[Outcome::expired],
             counts[Outcome::unknown], counts[Outcome::given_up]);
  std::map<std::string, std::size_t> errors;
  for (const auto& call : calls) {
    if (call.outcome == Outcome::unknown) ++errors[call.error];
  }
  constexpr std::size_t most = 20;
  for (const auto& [error, count] : errors | std::views::take(most)) fmt::print("  {} times: {}\n", count, error);
}

/// A history of failures alone would prove nothing.
bool is_worth_checking(const std::vector<Call>& calls) {
  const auto unknown = std::ranges::count(calls, Outcome::unknown, &Call::outcome);
  return static_cast<std::size_t>(unknown) < calls.size() / 10;
}

double seconds_of(Time time) { return static_cast<double>(time) / 1e9; }

/// How many events kept callers out for longer than the servers themselves needed, and some patience.
std::size_t judge_outages(const std::vector<Event>& events, const std::vector<Call>& calls, Time standstill) {
  const auto allowed = nanoseconds(patience).count() + standstill;
  std::size_t broken = 0;
  for (const auto& event : events) {
    const auto outage = outage_of(event, allowed, calls);
    const auto fail_over = event.restored - event.begun;
    fmt::print("{:16} servers back after {:.2f} s; longest wait of a user {:.2f} s; calls without an outcome: {}\n",
               event.name, seconds_of(fail_over), seconds_of(outage.longest_wait), outage.failures);
    if (outage.late_failures > 0) {
      fmt::print("broken: {} of those were begun when the servers had been back for {:.2f} s\n", outage.late_failures,
                 seconds_of(allowed));
    }
    const bool is_too_long = outage.longest_wait > fail_over + allowed;
    if (is_too_long) {
      fmt::print("broken: no call of a user succeeded in {:.2f} s more than the servers needed\n", seconds_of(allowed));
    }
    broken += (outage.late_failures > 0 ? 1U : 0U) + (is_too_long ? 1U : 0U);
  }
  return broken;
}

/// What a fail-over may take back is counted; everything else is broken.
std::vector<Violation> judge_history(const std::vector<Event>& events, const std::vector<Call>& calls,
                                     Time standstill) {
  std::vector<LossWindow> windows;
  for (const auto& event : events) windows.insert(windows.end(), event.windows.begin(), event.windows.end());
  // So much later a replica may have had what was written.
  for (auto& window : windows) window.from -= standstill;
  auto violations = check(calls, windows);
  if (windows.empty()) return violations;
  const auto confirmed = std::ranges::count(calls, true, &Call::is_confirmed);
  fmt::print("taken back by fail-overs, as it may be: {}; confirmed deletes: {}\n",
             check(calls).size() - violations.size(), confirmed);
  for (const auto& window : windows) fmt::print("  it may be from {} to {} ns\n", window.from, window.to);
  return violations;
}

std::string describe(const Arguments& arguments) {
  const auto on_or_off = [](bool is_on) { return is_on ? "on" : "off"; };
  const auto& workload = arguments.workload;
  const auto name = arguments.server == ServerKind::redis ? "redis" : "valkey";
  const auto start = fmt::format(
      "obol_history_checker --server {} --near-cache {} --forks {} --threads {} --seed {} --store {} --drivers {} "
      "--functions {}",
      name, on_or_off(arguments.near_cache), on_or_off(arguments.forks), workload.threads, workload.seed,
      arguments.stores_name, arguments.drivers,
      arguments.functions == FunctionLoading::scripts ? "scripts" : "library");
  if (arguments.topology == Where::single) {
    return fmt::format("{} --clock-jumps {} --calls {}", start, on_or_off(arguments.clock_jumps), workload.calls);
  }
  return fmt::format("{} --topology {} --rounds {} --durable-deletes {}{}{}", start,
                     arguments.topology == Where::cluster ? "cluster" : "sentinel", arguments.rounds,
                     on_or_off(arguments.durable_deletes), arguments.events.empty() ? "" : " --events ",
                     fmt::join(arguments.events, ","));
}

int run_managers(const Arguments& arguments) {
  const auto& workload = arguments.workload;
  fmt::print("obol_history_checker --managers on --server {} --store {} --calls {} --threads {} --seed {}\n",
             arguments.server == ServerKind::redis ? "redis" : "valkey", arguments.stores_name, workload.calls,
             workload.threads, workload.seed);
  const auto broken = act_with_managers({.server = arguments.server,
                                         .is_async = arguments.stores == Kinds::async,
                                         .calls = workload.calls,
                                         .threads = workload.threads,
                                         .seed = workload.seed});
  for (const auto& each : broken) fmt::print("broken: {}\n", each);
  return broken.empty() ? 0 : 1;
}

int run(Arguments arguments) {
  if (arguments.managers) return run_managers(arguments);
  fmt::print("{}\n", describe(arguments));
  std::optional<JumpingClock> jumping;
  if (arguments.clock_jumps) arguments.workload.clock = jumping.emplace().clock();
  const auto observer = std::make_shared<RecordingObserver>();
  const auto topology = make_topology(arguments);
  auto options = arguments.workload;
  if (topology) {
    options.pause = pause_between_calls;
    options.replicas = topology->replicas();
  } else {
    options.is_patient = arguments.stores == Kinds::blocking;
  }
  Workload workload(options);
  std::vector<Event> events;
  std::vector<std::string> broken_by_children;
  const StandstillWatch standstill;
  if (topology) {
    events = act_on_many(*topology, workload, arguments, observer);
  } else {
    broken_by_children = act_through_proxy(workload, arguments, observer);
  }
  print_outcomes(workload.history());

  const auto stood_still = standstill.longest();
  if (topology) fmt::print("the machine stood still for {:.2f} s at most\n", seconds_of(stood_still));
  const auto late = judge_outages(events, workload.history(), stood_still);
  const auto violations = judge_history(events, workload.history(), stood_still);
  const auto unverified = observer->count("verification_failed");
  for (std::size_t i = 0; i < std::min<std::size_t>(violations.size(), 20); ++i) {
    fmt::print("broken: {}\n", violations[i].description);
  }
  if (!violations.empty()) {
    const auto session = violations.front().session;
    fmt::print("the calls that concern session {}:\n{}", session, story_of(session, workload.history()));
  }
  for (const auto& broken : broken_by_children) fmt::print("broken: {}\n", broken);
  if (unverified > 0) fmt::print("broken: {} replies did not verify: they were other callers'\n", unverified);
  if (!is_worth_checking(workload.history())) {
    fmt::print("too many calls have no known outcome to prove anything: is the machine overloaded?\n");
    return 1;
  }
  const auto broken = violations.size() + broken_by_children.size() + unverified + late;
  if (broken == 0) return 0;
  fmt::print(
      "{} broken promises. Run the line at the top again: the seed fixes the random choices, though not the order of "
      "the\n"
      "threads, so it may take some runs. Begin with the session named first.\n",
      broken);
  return 1;
}

}}  // namespace obol::testing::history

int main(int count, char** words) {
  try {
    const auto arguments = obol::testing::history::parse(count, words);
    if (arguments) return obol::testing::history::run(*arguments);
    fmt::print(stderr, "{}", obol::testing::history::usage);
  } catch (const std::exception& error) {
    fmt::print(stderr, "obol_history_checker: {}\n", error.what());
  }
  return 2;
}
