// Statistics of a store at one moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

namespace obol { inline namespace v0 {

/// Connections of a store, without that of the near cache. Of an AsyncRedisStore, `opened` and `failed` count for all
/// stores that another() made together.
struct PoolStatistics {
  std::size_t idle = 0;       ///< Open and not in use.
  std::size_t used = 0;       ///< In use by calls.
  std::size_t waiting = 0;    ///< Calls that wait for a connection of their own or a shared one.
  std::size_t maximum = 0;    ///< PoolOptions::size plus max_overflow, for each server that has a pool.
  std::uint64_t opened = 0;   ///< Connections opened since the store was created.
  std::uint64_t failed = 0;   ///< Failed attempts to open a connection since the store was created.
  std::size_t in_flight = 0;  ///< Calls whose commands were sent and are not answered, given-up ones included.
  std::size_t flights = 0;    ///< Sends that these calls share, and that are not answered.
};

/// Statistics of the near cache. Counted since the store was created, except the last two.
struct NearCacheStatistics {
  std::uint64_t hits = 0;           ///< Reads answered from memory.
  std::uint64_t misses = 0;         ///< Reads that asked the server.
  std::uint64_t invalidations = 0;  ///< Reported by the server, caused by own writes, or found by own reads.
  std::uint64_t evictions = 0;      ///< Sessions evicted to stay within `max_bytes`.
  std::size_t sessions = 0;         ///< Sessions cached now.
  std::size_t bytes = 0;            ///< Estimated memory of those.
};

/// Statistics of the connections and of the near cache.
struct StoreStatistics {
  PoolStatistics pool{};             ///< Statistics of the connections.
  NearCacheStatistics near_cache{};  ///< Statistics of the near cache; all zero if it is off.
};

/// Returns the statistics of a store, or nothing if it was closed or destroyed. Thread-safe.
using StatisticsSource = std::function<std::optional<StoreStatistics>()>;

}}  // namespace obol::v0
