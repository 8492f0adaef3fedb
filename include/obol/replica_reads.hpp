// Whether reads for display may be answered by replicas.
#pragma once

#include <chrono>

namespace obol { inline namespace v0 {

/// Whether RedisStore::get_from_replica and get_all_from_replica may ask a replica. A replica may lack the latest
/// writes: a session that has just been logged out may still be returned. No other call reads from replicas, so a
/// refresh always starts from the latest version. The primary is asked once a second which replicas it has; the user
/// needs `+info` for that. If no replica can answer, the primary does.
struct ReplicaReads {
  bool enabled = false;             ///< If false, the primary answers.
  std::chrono::seconds max_lag{5};  ///< A replica that was silent for longer than this is not asked; 2 or more.
};

}}  // namespace obol::v0
