// obol_bench: measures Obol against bare hiredis and bare HMAC. scripts/bench builds and runs it.
// Usage: obol_bench [--quick] [--scenario NAME] [--server redis|valkey|URI] [--rounds N] [--seconds S] [--out FOLDER]
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cluster.hpp"
#include "peers.hpp"
#include "scenarios.hpp"

namespace {

using namespace obol::benchmark;

struct Arguments {
  Settings settings;
  std::vector<std::string> servers;
  std::filesystem::path folder = "build/bench/report";
};

[[noreturn]] void explain(std::string_view wrong) {
  fmt::print(stderr, "obol_bench: {}\nUsage: obol_bench [--quick] [--scenario NAME] [--server redis|valkey|URI] ",
             wrong);
  fmt::print(stderr, "[--rounds N] [--seconds S] [--out FOLDER]\nScenarios: {}\n", fmt::join(scenario_names(), ", "));
  std::exit(2);
}

double number(const std::string& text, double least, double most) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= least && value <= most)) {
    explain(fmt::format("'{}' is no number from {} to {}", text, least, most));
  }
  return value;
}

Arguments parse(const std::vector<std::string>& words) {
  Arguments arguments;
  auto& settings = arguments.settings;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto value = [&]() -> const std::string& {
      if (i + 1 == words.size()) explain(fmt::format("{} needs a value", words[i]));
      return words[++i];
    };
    if (words[i] == "--quick") {
      settings.is_quick = true;
      settings.rounds = 3;
      settings.time = std::chrono::duration<double>(0.15);
    } else if (words[i] == "--scenario") {
      settings.only = value();
      const auto names = scenario_names();
      if (std::ranges::find(names, settings.only) == names.end()) explain("no such scenario");
    } else if (words[i] == "--server") {
      arguments.servers.push_back(value());
    } else if (words[i] == "--rounds") {
      settings.rounds = static_cast<int>(number(value(), 1, 1000));
    } else if (words[i] == "--seconds") {
      settings.time = std::chrono::duration<double>(number(value(), 0.001, 60));
    } else if (words[i] == "--out") {
      arguments.folder = value();
    } else {
      explain(fmt::format("unknown option {}", words[i]));
    }
  }
  if (arguments.servers.empty()) arguments.servers = {"redis", "valkey"};
  return arguments;
}

void run_on(const std::string& server, const Settings& settings, Report& report) {
  using obol::testing::ServerKind;
  if (server == "redis" || server == "valkey") {
    const auto kind = server == "redis" ? ServerKind::redis : ServerKind::valkey;
    Server own(kind);
    run_scenarios(own, settings, report);
    if (settings.only.empty() || settings.only == "cluster") run_cluster(kind, settings, report);
    return;
  }
  auto connection = obol::ConnectionOptions::from_uri(server);
  if (!connection) explain(connection.error().message);
  Server theirs(*connection);
  run_scenarios(theirs, settings, report);
}

}  // namespace

int main(int count, char** words) {
  const auto arguments = parse({words + 1, words + count});
  const auto& only = arguments.settings.only;
  if (peers().empty() && (only.empty() || only == "peers")) {
    fmt::print("{}\n", no_peers);
    if (only == "peers") return 0;
  }
  Report report;
  run_sealing(arguments.settings, report);
  if (arguments.settings.only != "sealing") {
    for (const auto& server : arguments.servers) run_on(server, arguments.settings, report);
  }
  report.write(arguments.folder);
  fmt::print("written to {}\n", (arguments.folder / "report.md").string());
}
