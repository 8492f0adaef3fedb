// What is compared with what, and what is hoped for.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "report.hpp"
#include "server.hpp"

namespace obol::benchmark {

struct Settings {
  int rounds = 5;
  std::chrono::duration<double> time{0.6};  ///< Of each measurement.
  bool is_quick = false;                    ///< Fewer points on the curves.
  std::string only{};                       ///< The one scenario to run; empty: all.
};

std::vector<std::string_view> scenario_names();

/// Runs them on one server.
void run_scenarios(Server& server, const Settings& settings, Report& report);

/// Sealing needs no server.
void run_sealing(const Settings& settings, Report& report);

}  // namespace obol::benchmark
