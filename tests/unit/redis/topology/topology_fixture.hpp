// What nodes of a test count together.
#pragma once

#include <chrono>

#include "redis/topology/node.hpp"

namespace obol::testing {

/// Its nodes must not outlive it.
struct NodeOwner {
  redis::RetryBudget budget{};
  redis::ConnectionCounts counts{};
  redis::ClientEvents events{};
  Timeouts timeouts{
      .connect = std::chrono::minutes(1), .command = std::chrono::minutes(1), .total = std::chrono::minutes(10)};

  redis::Node::Settings settings() {
    return {.pool = {}, .timeouts = timeouts, .events = events, .budget = budget, .counts = counts};
  }
};

}  // namespace obol::testing
