// Rounds in turn, and their ratios.
#include "comparison.hpp"

#include <utility>

namespace obol::benchmark {

Pair interleave(std::size_t threads, const Settings& settings, const MakeCall& bare, const MakeCall& obol) {
  Pair pair;
  for (int round = 0; round < settings.rounds; ++round) {
    pair.bare.push_back(put_load(threads, settings.time, bare));
    pair.obol.push_back(put_load(threads, settings.time, obol));
  }
  return pair;
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

}  // namespace obol::benchmark
