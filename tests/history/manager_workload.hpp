// Many clients that log in, refresh, use and lose tokens on few sessions, and write down what they were told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "history/manager_history.hpp"
#include "support/test_server.hpp"

namespace obol::testing::history {

struct ManagerWorkloadOptions {
  ServerKind server = ServerKind::redis;
  bool is_async = false;
  std::size_t calls = 20'000;
  std::size_t threads = 16;
  std::uint64_t seed = 1;
};

/// Makes the calls through a proxy that does faults, with two managers on one server. Gives what is broken.
std::vector<std::string> act_with_managers(const ManagerWorkloadOptions& options);

}  // namespace obol::testing::history
