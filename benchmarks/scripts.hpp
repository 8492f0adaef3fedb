// What it costs to run the functions as scripts.
#pragma once

#include "report.hpp"
#include "scenarios.hpp"
#include "server.hpp"

namespace obol::benchmark {

void run_scripts(Server& server, const Settings& settings, Report& report);

}  // namespace obol::benchmark
