// A primary with a replica that follows it.
#pragma once

#include <cstdint>
#include <string>

#include "support/await.hpp"
#include "support/test_server.hpp"

namespace obol::testing {

struct ReplicatedServer {
  /// Returns once the replica follows.
  explicit ReplicatedServer(ServerKind kind)
      : primary(kind, {"--port", std::to_string(port), "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0"}),
        replica(kind, {"--port", std::to_string(replica_port), "--bind", "127.0.0.1", "--replicaof",
                       "127.0.0.1 " + std::to_string(port)}) {
    await("the replica to follow", [this] {
      return primary.command({"INFO", "replication"}).text.contains("state=online") &&
             replica.command({"INFO", "replication"}).text.contains("master_link_status:up");
    });
  }

  const std::uint16_t port = free_port();
  const std::uint16_t replica_port = free_port();
  TestServer primary;
  TestServer replica;
};

}  // namespace obol::testing
