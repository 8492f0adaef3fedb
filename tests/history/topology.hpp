// Several servers on which a history is made, and what happens to them meanwhile.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "history/outage.hpp"
#include "obol/connection_options.hpp"
#include "support/test_server.hpp"

namespace obol::testing::history {

/// To be used from the thread that made it.
class Topology {
 public:
  virtual ~Topology() = default;

  virtual ConnectionOptions connection() const = 0;

  /// Of each primary. Once all of them have a delete, no fail-over takes it back.
  virtual std::size_t replicas() const = 0;

  /// The names of all that can happen.
  virtual std::vector<std::string> events() const = 0;

  /// Lets it happen to those who serve these users; returns once the servers can serve everybody again.
  virtual Event happen(const std::string& name, const std::vector<std::string>& users) = 0;

  /// Brings back what the last event took away; `event` learns of windows that this opens.
  virtual void mend(Event& event) = 0;
};

std::unique_ptr<Topology> make_cluster(ServerKind kind);
std::unique_ptr<Topology> make_sentinel(ServerKind kind);

}  // namespace obol::testing::history
