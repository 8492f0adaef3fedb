// Whether a call costs the same however many primaries a cluster has.
#pragma once

#include "report.hpp"
#include "scenarios.hpp"
#include "support/test_server.hpp"

namespace obol::benchmark {

/// On private clusters of 1, 3 and 6 primaries, and on one server for comparison.
void run_cluster(testing::ServerKind kind, const Settings& settings, Report& report);

}  // namespace obol::benchmark
