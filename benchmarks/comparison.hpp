// Obol and its limit measured in turn, and the rows of the report that come of it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "load.hpp"
#include "report.hpp"
#include "scenarios.hpp"

namespace obol::benchmark {

/// A load of each round.
struct Pair {
  std::vector<Load> bare;
  std::vector<Load> obol;
};

/// All in turn, round by round; the loads of each.
std::vector<std::vector<Load>> interleave(const Settings& settings, std::span<const PutLoad> clients);

/// Both in turn, round by round.
Pair interleave(std::size_t threads, const Settings& settings, const MakeCall& bare, const MakeCall& obol);

double median(const std::vector<Load>& loads, double Load::* member);

struct Goal {
  std::optional<double> least{};
  std::optional<double> most{};
};

/// The ratio of Obol's to the limit's in each round. `server`, `what` and `limit` as in the report.
struct Comparison {
  std::string server;
  std::string what;
  std::string limit = "bare hiredis, a connection a thread";
};
Row row_of(Comparison comparison, const Pair& pair, double Load::* member, std::string unit, Goal goal = {});

struct LoadGoals {
  Goal per_second{};
  Goal p99{};
  Goal cpu{};
};

/// Three rows: calls a second, the 99th percentile, and the client's processor time for each call.
void add_rows(Report& report, const Comparison& comparison, const Pair& pair, const LoadGoals& goals = {});

}  // namespace obol::benchmark
