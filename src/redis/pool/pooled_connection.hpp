// A connection of a pool: how long it may be used, and the batch of calls that is on it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/intrusive_queue.hpp"
#include "base/random_generator.hpp"
#include "obol/pool_options.hpp"
#include "redis/connection/connection.hpp"
#include "redis/core/busy_wait.hpp"
#include "redis/core/deadline.hpp"
#include "redis/pool/batch.hpp"

namespace obol { inline namespace v0 { namespace redis {

struct PooledConnection {
  PooledConnection(Connection opened, const PoolOptions& options, Deadline::Time::time_point now)
      : connection(std::move(opened)),
        retire_at(now + jittered(options.lifetime_limit)),
        idle_since(now),
        busy_wait(options.busy_wait) {}

  /// Why it must not be used (again); empty if it may be.
  std::string_view why_unusable(const PoolOptions& options, Deadline::Time::time_point now) const {
    if (now >= retire_at) return "its lifetime has ended";
    if (now - idle_since >= options.idle_limit) return "unused for too long";
    if (!connection.is_reusable()) return "the server closed it";
    return {};
  }

  Connection connection;
  std::uint64_t generation = 0;  ///< PoolState.
  Deadline::Time::time_point retire_at;
  Deadline::Time::time_point idle_since;
  BusyWait busy_wait;
  bool is_leased = false;
  Batch batch{};
  QueueLinks<PooledConnection> links{};
};

}}}  // namespace obol::v0::redis
