#include "redis/pool/lease.hpp"

#include "redis/connection/connection_source.hpp"
#include "redis/pool/pool.hpp"

namespace obol { inline namespace v0 { namespace redis {

Lease::~Lease() {
  if (!pooled_) return;
  if (std::uncaught_exceptions() > exceptions_) {
    discard("the call that used it ended with an exception");
  } else {
    pool_->give_back(std::move(pooled_));
  }
}

void Lease::discard(std::string_view reason) { pool_->abandon(std::move(pooled_), reason); }

void Lease::discard_all(std::string_view reason) { pool_->abandon_all(std::move(pooled_), reason); }

void Lease::discard_for(const Error& error) {
  is_of_one_call(error) ? discard(error.message) : discard_all(error.message);
}

}}}  // namespace obol::v0::redis
