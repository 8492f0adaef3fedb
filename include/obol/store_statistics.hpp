// What a store counts of itself, at one moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

namespace obol::inline v0 {

/// The connections of a store. The near cache's own is not among them.
struct PoolStatistics {
  std::size_t idle = 0;      ///< Open, and with no call on them.
  std::size_t used = 0;      ///< On loan to calls.
  std::size_t waiting = 0;   ///< Calls that wait for a connection or for one that is shared.
  std::size_t maximum = 0;   ///< PoolOptions::size and max_overflow together, for each server there is a pool for.
  std::uint64_t opened = 0;  ///< Since the store was made.
  std::uint64_t failed = 0;  ///< Attempts to open one that failed, since the store was made.
};

/// Counted since the store was made, but for the last two.
struct NearCacheStatistics {
  std::uint64_t hits = 0;           ///< Answered from memory.
  std::uint64_t misses = 0;         ///< Asked of the server.
  std::uint64_t invalidations = 0;  ///< Told by the server, made by own writes, or found by own reads.
  std::uint64_t evictions = 0;      ///< To stay within `max_bytes`.
  std::size_t sessions = 0;         ///< Kept now.
  std::size_t bytes = 0;            ///< Estimated, of those.
};

/// Both in one.
struct StoreStatistics {
  PoolStatistics pool{};             ///< Of its connections.
  NearCacheStatistics near_cache{};  ///< All zero where it is off.
};

/// Gives the statistics of a store, or nothing once it is closed or destroyed. Thread-safe.
using StatisticsSource = std::function<std::optional<StoreStatistics>()>;

}  // namespace obol::inline v0
