// Whether reads may be answered from the memory of this process.
#pragma once

#include <chrono>
#include <cstddef>

namespace obol { inline namespace v0 {

/// Lets `get` answer from the memory of this process. The server reports every change over a separate connection, on
/// which a separate thread listens. Writes and deletes by this process are visible to it at once. Only sessions read
/// from the same server process are cached, even if an address later leads to another one. Not supported in a cluster.
/// A forked child reads from the server.
/// Source: https://redis.io/docs/latest/develop/reference/client-side-caching/
struct NearCacheOptions {
  /// Needs the ACL rules `+client|tracking` and `+info`; without them connect fails with `permission`.
  bool enabled = false;
  /// Memory of the cached sessions; the least recently used are evicted.
  std::size_t max_bytes = std::size_t{64} * 1024 * 1024;

  /// Upper bound on staleness: a change made elsewhere is visible after at most this long, even if the server or the
  /// network goes silent. If nothing was heard from the server for this long, every `get` asks the server. A heartbeat
  /// is sent every third of it. 30 ms to 1 minute.
  std::chrono::milliseconds max_staleness{1000};
};

}}  // namespace obol::v0
