// Whether reads for display may be answered by replicas.
#pragma once

#include <chrono>

namespace obol::inline v0 {

/// RedisStore::get_from_replica and get_all_from_replica may ask a replica, which lacks what was written in the last
/// moments: a session that has just been logged out may still be seen. No other call does, so what a refresh begins
/// with is always the latest. The primary is asked once a second which replicas it has, for which the user needs
/// `+info`. Where none can answer, the primary does.
struct ReplicaReads {
  bool enabled = false;             ///< Where not, the primary answers.
  std::chrono::seconds max_lag{5};  ///< A replica that was silent for longer is not asked; 2 or more.
};

}  // namespace obol::inline v0
