#include "redis/pool/lease.hpp"

#include "redis/core/verdict.hpp"
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
  verdict_for(error).drops == Verdict::Drops::one ? discard(error.message) : discard_all(error.message);
}

}}}  // namespace obol::v0::redis
