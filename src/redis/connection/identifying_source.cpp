// Dials, then asks.
#include "redis/connection/identifying_source.hpp"

#include <utility>

namespace obol { inline namespace v0 { namespace redis {

static_assert(std::atomic<ServerIdentity>::is_always_lock_free);

Result<Connection> IdentifyingSource::dial(Deadline deadline) {
  auto connection = source_->dial(deadline);
  if (!connection) return connection;
  auto known = connection->identify(deadline);
  if (!known && is_transient(known.error())) return std::unexpected(at_endpoint(std::move(known.error())));
  latest_ = connection->identity();
  return connection;
}

}}}  // namespace obol::v0::redis
