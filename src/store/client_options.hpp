// The part of a store's options that its Redis client takes.
#pragma once

#include "obol/redis_store_options.hpp"
#include "redis/client/client_options.hpp"

namespace obol { inline namespace v0 {

/// Events of the client go to the store's observer.
redis::ClientOptions client_options(const RedisStoreOptions& options);

}}  // namespace obol::v0
