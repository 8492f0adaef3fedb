// The asynchronous store against its goals: in a loop by hand, under Asio, in the background.
#pragma once

#include "report.hpp"
#include "scenarios.hpp"
#include "server.hpp"

namespace obol::benchmark {

void run_async(Server& server, const Settings& settings, Report& report);

}  // namespace obol::benchmark
