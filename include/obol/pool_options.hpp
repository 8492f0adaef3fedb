// How many connections a store keeps.
#pragma once

#include <chrono>
#include <cstddef>

namespace obol::inline v0 {

/// How many connections there are and how long they live. They are opened as they are needed; calls that find none free
/// share the next one, so a few serve many threads. Durations must be positive.
struct PoolOptions {
  std::size_t size = 10;             ///< Connections that stay open; at least 1.
  std::size_t max_overflow = 5;      ///< More that are opened under load and closed when they are no longer used.
  std::size_t max_waiting = 10'000;  ///< Calls that may wait at once; one more fails with `pool_timeout`.
  std::chrono::milliseconds checkout_timeout{5000};  ///< How long a call waits for a connection.
  std::chrono::milliseconds idle_limit{300'000};     ///< A connection unused for longer is replaced.
  std::chrono::milliseconds lifetime_limit{
      3'600'000};  ///< One older than this is replaced (less up to 10 %, at random).

  /// Near a server, a call looks for its answer for so long before it sleeps, letting other threads run in between:
  /// that takes less time, and less processor time, than to sleep and to be woken. Elsewhere it soon stops trying. 0:
  /// never.
  std::chrono::microseconds busy_wait{50};
};

}  // namespace obol::inline v0
