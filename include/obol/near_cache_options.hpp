// Whether reads may be answered from this process's memory.
#pragma once

#include <chrono>
#include <cstddef>

namespace obol::inline v0 {

/// Lets `get` answer from this process's memory. The server tells of every change, over a connection of its own that a
/// thread of its own listens to; what this process writes or deletes is seen by it at once. Only what was read from
/// that same server process is kept, wherever an address leads. Not in a cluster. A forked child reads from the server.
/// Source: https://redis.io/docs/latest/develop/reference/client-side-caching/
struct NearCacheOptions {
  bool enabled = false;  ///< Needs the ACL rules `+client|tracking` and `+info`, else connect fails with `permission`.
  std::size_t max_bytes = std::size_t{64} * 1024 * 1024;  ///< Of sessions kept; the least used go first.

  /// How old an answer may be: a change made elsewhere at this time is seen at the latest so much later, even where the
  /// server or the network fell silent just before it. Without a sign of life for so long, every `get` asks the server.
  /// The server is asked for one every third of it; 30 ms to 1 minute.
  std::chrono::milliseconds max_staleness{1000};
};

}  // namespace obol::inline v0
