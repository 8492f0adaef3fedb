// Holds a store under random faults to its promises: random calls, then the check that their history is possible.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "history/history.hpp"
#include "history/random_faults.hpp"
#include "history/workload.hpp"
#include "support/fault_proxy.hpp"
#include "support/recording_observer.hpp"
#include "support/sessions.hpp"
#include "support/test_server.hpp"

namespace obol::testing::history {
namespace {

using std::chrono::milliseconds;

struct Arguments {
  ServerKind server = ServerKind::redis;
  WorkloadOptions workload{};
};

constexpr std::string_view usage =
    "usage: obol_history_checker [--server redis|valkey] [--calls N] [--threads N] [--seed S]\n";

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number > 0;
}

bool take(Arguments& arguments, std::string_view option, std::string_view value) {
  if (option == "--calls") return read_number(value, arguments.workload.calls);
  if (option == "--threads") return read_number(value, arguments.workload.threads);
  if (option == "--seed") return read_number(value, arguments.workload.seed);
  if (option != "--server" || (value != "redis" && value != "valkey")) return false;
  arguments.server = value == "redis" ? ServerKind::redis : ServerKind::valkey;
  return true;
}

std::optional<Arguments> parse(int count, char** words) {
  Arguments arguments;
  arguments.workload.seed = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  if (count % 2 == 0) return std::nullopt;
  for (int i = 1; i < count; i += 2) {
    if (!take(arguments, words[i], words[i + 1])) return std::nullopt;
  }
  return arguments;
}

/// Makes the calls through the proxy, then reads the final state from the server itself.
void act(Workload& workload, const Arguments& arguments, const std::shared_ptr<RecordingObserver>& observer) {
  const TestServer server(arguments.server);
  FaultProxy proxy(server);
  auto options = options_for(server, observer);
  options.connection = proxy.connection();
  options.timeouts = {.connect = milliseconds(1000), .command = milliseconds(100), .total = milliseconds(5000)};
  options.pool = {.size = 8, .max_overflow = 2};
  {
    auto store = RedisStore::connect(options).value();
    proxy.follow(RandomFaults(arguments.workload.seed));
    workload.run(store);
  }
  proxy.heal();
  fmt::print("faults: {} in {} commands, {} connections\n", proxy.faults(), proxy.commands(), proxy.connections());
  auto direct = store_on(server, observer);
  workload.read_everything(direct);
}

void print_outcomes(const std::vector<Call>& calls) {
  std::map<Outcome, std::size_t> counts;
  for (const auto& call : calls) ++counts[call.outcome];
  fmt::print("calls: {}; done {}, conflict {}, gone {}, unknown {}\n", calls.size(), counts[Outcome::done],
             counts[Outcome::conflict], counts[Outcome::gone], counts[Outcome::unknown]);
}

/// A history of failures alone would prove nothing.
bool is_worth_checking(const std::vector<Call>& calls) {
  const auto unknown = std::ranges::count(calls, Outcome::unknown, &Call::outcome);
  return static_cast<std::size_t>(unknown) < calls.size() / 10;
}

int run(const Arguments& arguments) {
  const auto& [calls, threads, seed] = arguments.workload;
  const auto name = arguments.server == ServerKind::redis ? "redis" : "valkey";
  fmt::print("obol_history_checker --server {} --calls {} --threads {} --seed {}\n", name, calls, threads, seed);
  const auto observer = std::make_shared<RecordingObserver>();
  Workload workload(arguments.workload);
  act(workload, arguments, observer);
  print_outcomes(workload.history());

  const auto violations = check(workload.history());
  const auto unverified = observer->count("verification_failed");
  for (std::size_t i = 0; i < std::min<std::size_t>(violations.size(), 20); ++i) {
    fmt::print("broken: {}\n", violations[i].description);
  }
  if (unverified > 0) fmt::print("broken: {} replies did not verify: they were other callers'\n", unverified);
  if (!is_worth_checking(workload.history())) {
    fmt::print("too many calls have no known outcome to prove anything: is the machine overloaded?\n");
    return 1;
  }
  if (violations.empty() && unverified == 0) return 0;
  fmt::print(
      "{} broken promises. Run the line at the top again: the seed fixes the random choices, though not the order of "
      "the\n"
      "threads, so it may take some runs. Begin with the session named first.\n",
      violations.size() + unverified);
  return 1;
}

}  // namespace
}  // namespace obol::testing::history

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
