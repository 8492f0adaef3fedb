// Rounds in turn, and their ratios.
#include "comparison.hpp"

#include <array>
#include <string_view>
#include <utility>

namespace obol::benchmark {

std::vector<std::vector<Load>> interleave(const Settings& settings, std::span<const PutLoad> clients) {
  std::vector<std::vector<Load>> loads(clients.size());
  for (int round = 0; round < settings.rounds; ++round) {
    for (std::size_t client = 0; client < clients.size(); ++client) {
      loads[client].push_back(clients[client](settings.time));
    }
  }
  return loads;
}

Pair interleave(std::size_t threads, const Settings& settings, const MakeCall& bare, const MakeCall& obol) {
  auto loads = interleave(settings, std::array{from_threads(threads, bare), from_threads(threads, obol)});
  return {.bare = std::move(loads[0]), .obol = std::move(loads[1])};
}

double median(const std::vector<Load>& loads, double Load::* member) {
  std::vector<double> values;
  for (const auto& load : loads) values.push_back(load.*member);
  return spread_of(std::move(values)).median;
}

Row row_of(Comparison comparison, const Pair& pair, double Load::* member, std::string unit, Goal goal) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < pair.obol.size(); ++i) ratios.push_back(pair.obol[i].*member / (pair.bare[i].*member));
  return {.server = std::move(comparison.server),
          .what = std::move(comparison.what),
          .limit = std::move(comparison.limit),
          .obol = median(pair.obol, member),
          .bare = median(pair.bare, member),
          .unit = std::move(unit),
          .ratio = spread_of(std::move(ratios)),
          .least = goal.least,
          .most = goal.most};
}

void add_rows(Report& report, const Comparison& comparison, const Pair& pair, const LoadGoals& goals) {
  const auto about = [&](std::string_view suffix) {
    auto one = comparison;
    one.what += suffix;
    return one;
  };
  report.add(row_of(comparison, pair, &Load::per_second, "/s", goals.per_second));
  report.add(row_of(about(": 99th percentile"), pair, &Load::p99_us, "us", goals.p99));
  report.add(row_of(about(": client CPU for each"), pair, &Load::client_cpu_us, "us", goals.cpu));
}

}  // namespace obol::benchmark
