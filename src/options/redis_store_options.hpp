// Checks the options of a RedisStore before anything is sent.
#pragma once

#include "obol/error.hpp"
#include "obol/redis_store_options.hpp"
#include "obol/user_credentials.hpp"

namespace obol { inline namespace v0 {

/// `invalid_argument` that names the option, says what is wrong and what is allowed, or nothing.
Result<void> validate(const RedisStoreOptions& options);

/// `invalid_argument` if they stand for nobody: such credentials replace none.
Result<void> validate_replacement(const UserCredentials& credentials);

}}  // namespace obol::v0
