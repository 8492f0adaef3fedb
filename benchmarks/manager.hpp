// The session manager's calls against the store's calls that they make, sent by hand.
#pragma once

#include "report.hpp"
#include "scenarios.hpp"
#include "server.hpp"

namespace obol::benchmark {

void run_manager(Server& server, const Settings& settings, Report& report);

}  // namespace obol::benchmark
