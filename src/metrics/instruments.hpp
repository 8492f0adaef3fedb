// Which metric stands at which index.
#pragma once

#include <cstddef>

namespace obol { inline namespace v0 { namespace metrics {

/// In the order of instruments().
enum class Index : std::size_t {
  operation_duration,
  connection_count,
  connection_max,
  pending_requests,
  connection_timeouts,
  connections_opened,
  connections_closed,
  in_flight,
  flights,
  connection_failures,
  near_cache_lookups,
  near_cache_invalidations,
  near_cache_evictions,
  near_cache_sessions,
  near_cache_size,
  near_cache_in_use,
  session_events,
  session_refusals,
  token_reuses,
  verification_failures,
  functions_loaded,
  findings,
  watch_sessions,
  watch_users,
  watch_ends,
  watch_reads,
  watch_connections_opened,
  watch_connections_lost,
};

}}}  // namespace obol::v0::metrics
