// What is stored under a key, verified and decoded; the observer is told of what does not verify.
#pragma once

#include <optional>
#include <string_view>

#include "obol/keyring.hpp"
#include "obol/redis_store_options.hpp"
#include "obol/session.hpp"
#include "store/operation.hpp"

namespace obol { inline namespace v0 {

/// What a stored session is judged by.
struct Judgement {
  const RedisStoreOptions& options;
  const Keyring& keyring;
  Now now;
};

/// Opens what is stored into a session that has its key's members. False if it has expired or cannot be trusted;
/// `protocol` if a newer Obol wrote it.
Result<bool> open_stored(std::string_view sealed, std::string_view stored_key, const Judgement& judgement,
                         Session& session);

/// The session of that key out of what is stored, into an empty `session`, which stays empty if there is none.
Result<void> open_stored(std::optional<std::string_view> sealed, std::string_view stored_key, const SessionKey& key,
                         const Judgement& judgement, std::optional<Session>& session);

}}  // namespace obol::v0
