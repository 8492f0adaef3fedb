// A primary with a replica that follows it.
#pragma once

#include <string>
#include <vector>

#include "support/await.hpp"
#include "support/reserved_port.hpp"
#include "support/test_server.hpp"

namespace obol::testing {

struct ReplicatedServer {
  /// Returns once the replica follows.
  explicit ReplicatedServer(ServerKind kind, const std::vector<std::string>& replica_extras = {})
      : primary(kind, {"--port", std::to_string(primary_port.number()), "--bind", "127.0.0.1",
                       "--repl-diskless-sync-delay", "0"}),
        replica(kind, [&] {
          std::vector<std::string> arguments{"--port",      std::to_string(replica_port.number()),
                                             "--bind",      "127.0.0.1",
                                             "--replicaof", "127.0.0.1 " + std::to_string(primary_port.number())};
          arguments.insert(arguments.end(), replica_extras.begin(), replica_extras.end());
          return arguments;
        }()) {
    await("the replica to follow", [this] {
      return primary.command({"INFO", "replication"}).text.contains("state=online") &&
             replica.command({"INFO", "replication"}).text.contains("master_link_status:up");
    });
  }

  const ReservedPort primary_port;
  const ReservedPort replica_port;
  TestServer primary;
  TestServer replica;
};

}  // namespace obol::testing
