// Checks the options of a RedisStore before anything is sent.
#pragma once

#include "obol/error.hpp"
#include "obol/redis_store_options.hpp"

namespace obol { inline namespace v0 {

/// `invalid_argument` that names the option, says what is wrong and what is allowed, or nothing.
Result<void> validate(const RedisStoreOptions& options);

}}  // namespace obol::v0
