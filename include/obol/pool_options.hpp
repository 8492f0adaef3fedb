// How many connections a store has.
#pragma once

#include <chrono>
#include <cstddef>

namespace obol { inline namespace v0 {

/// Number and lifetime of connections. They are opened when they are needed. Calls that find none free share the next
/// one, so a few connections serve many threads. Durations must be positive.
struct PoolOptions {
  std::size_t size = 10;  ///< Connections that stay open; at least 1.
  std::size_t max_overflow =
      10;  ///< Additional connections, opened under load and closed when they are no longer used.
  std::size_t max_waiting = 10'000;  ///< Calls that may wait at the same time; one more fails with `pool_timeout`.
  std::chrono::milliseconds checkout_timeout{5000};  ///< How long a call waits for a connection.
  std::chrono::milliseconds idle_limit{300'000};     ///< A connection that was unused for longer is replaced.
  std::chrono::milliseconds lifetime_limit{
      3'600'000};  ///< A connection older than this (less up to 10 %, at random) is replaced.

  /// How long a call that shares its connection with no other polls for its reply before it sleeps. Near the server and
  /// on idle processors this shortens the call, and takes more processor time. Adapts: a call far from the server soon
  /// stops trying. 0 disables it.
  std::chrono::microseconds busy_wait{0};
};

}}  // namespace obol::v0
