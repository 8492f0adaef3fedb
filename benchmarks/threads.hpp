// Obol by number of threads against the goals: near and far servers, one processor, a busy machine.
#pragma once

#include "report.hpp"
#include "scenarios.hpp"
#include "server.hpp"

namespace obol::benchmark {

void run_threads(Server& server, const Settings& settings, Report& report);

}  // namespace obol::benchmark
