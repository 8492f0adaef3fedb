// What a client is configured with.
#pragma once

#include <cstddef>

#include "obol/connection_options.hpp"
#include "obol/function_loading.hpp"
#include "obol/pool_options.hpp"
#include "obol/replica_reads.hpp"
#include "obol/timeouts.hpp"
#include "redis/topology/client_events.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Must be valid; see validate(RedisStoreOptions).
struct ClientOptions {
  ConnectionOptions connection{};
  PoolOptions pool{};
  Timeouts timeouts{};
  ReplicaReads replica_reads{};
  FunctionLoading functions = FunctionLoading::load_at_connect;
  std::size_t max_reply_bytes = 0;  ///< Of one reply; see RedisStoreOptions.
  bool identifies_server = false;   ///< Whether replies can be told apart by the server process they came from.
  ClientEvents events{};
};

}}}  // namespace obol::v0::redis
