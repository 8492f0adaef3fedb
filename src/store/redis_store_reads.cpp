// How sessions are read: from the near cache, the primary or a replica, and verified.
#include <algorithm>
#include <utility>

#include "obol/session_limits.hpp"
#include "sealing/sealing.hpp"
#include "store/redis_store_implementation.hpp"

namespace obol { inline namespace v0 {
namespace {

constexpr std::size_t most_keys_at_once = 1000;

}  // namespace

Result<std::optional<Session>> RedisStore::Implementation::get(const SessionKey& key, bool& found_near) {
  const auto stored_key = stored_key_of(key.user_id, key.type);
  return cache_ ? get_cached(stored_key, key, found_near) : get_stored(stored_key, key);
}

Result<std::optional<Session>> RedisStore::Implementation::get_from_replica(const SessionKey& key) {
  if (auto valid = validate(key); !valid) return std::unexpected(std::move(valid.error()));
  return get_stored(stored_key_of(key.user_id, key.type), key, &redis::Client::call_replica);
}

Result<std::optional<Session>> RedisStore::Implementation::get_stored(const std::string& stored_key,
                                                                      const SessionKey& key, Read read,
                                                                      redis::ServerIdentity* answered_by) {
  const auto reply = (client_.*read)(stored_key, get_command(stored_key, key.id), client_.new_deadline(), answered_by);
  if (!reply) return std::unexpected(reply.error());
  return opened(get_result(*reply), stored_key, key, keyring());
}

Result<std::optional<Session>> RedisStore::Implementation::get_cached(const std::string& stored_key,
                                                                      const SessionKey& key, bool& found_near) {
  auto& sessions = cache_->sessions();
  if (auto found = sessions.find(stored_key, key.id); found && is_live(*found, options_.clock())) {
    found_near = true;
    return found;
  }
  const auto ticket = cache_->begin_read(stored_key);
  redis::ServerIdentity read_from;
  auto session = get_stored(stored_key, key, &redis::Client::call, &read_from);
  if (session) update_cache(ticket, read_from, stored_key, *session);
  return session;
}

Result<std::optional<Session>> RedisStore::Implementation::opened(const Result<std::optional<std::string_view>>& sealed,
                                                                  const std::string& stored_key, const SessionKey& key,
                                                                  const Keyring& keyring) {
  if (!sealed) return std::unexpected(sealed.error());
  // Made where it is returned: a session costs as much to move as to decode.
  Result<std::optional<Session>> session(std::in_place);
  if (!*sealed) return session;
  session->emplace(Session{.id = key.id, .user_id = key.user_id, .type = key.type});
  const auto is_live = open_stored(**sealed, stored_key, keyring, **session);
  if (!is_live) return std::unexpected(is_live.error());
  if (!*is_live) session->reset();
  return session;
}

// Whoever has seen a session gone, or newer, must not find the old one in the cache afterwards: the server's word of
// the change may still be on its way.
void RedisStore::Implementation::update_cache(const NearCache::Ticket& ticket, redis::ServerIdentity read_from,
                                              const std::string& stored_key, const std::optional<Session>& read) {
  if (read) {
    cache_->sessions().keep(ticket, read_from, stored_key, *read);
  } else {
    cache_->sessions().invalidate(stored_key);
  }
}

Result<std::vector<std::optional<Session>>> RedisStore::Implementation::get_many(std::span<const SessionKey> keys) {
  const auto deadline = client_.new_deadline();
  std::vector<std::optional<Session>> sessions;
  sessions.reserve(keys.size());
  while (sessions.size() < keys.size()) {
    const auto some = keys.subspan(sessions.size()).first(std::min(keys.size() - sessions.size(), most_keys_at_once));
    if (auto got = get_some(some, deadline, sessions); !got) return std::unexpected(std::move(got.error()));
  }
  return sessions;
}

Result<void> RedisStore::Implementation::get_some(std::span<const SessionKey> keys, Deadline deadline,
                                                  std::vector<std::optional<Session>>& sessions) {
  std::vector<std::string> stored_keys;
  std::vector<redis::Command> commands;
  std::vector<NearCache::Ticket> tickets;
  stored_keys.reserve(keys.size());
  commands.reserve(keys.size());
  for (const auto& key : keys) {
    const auto& stored_key = stored_keys.emplace_back(stored_key_of(key.user_id, key.type));
    commands.push_back(get_command(stored_key, key.id));
    if (cache_) tickets.push_back(cache_->begin_read(stored_key));
  }
  redis::ServerIdentity read_from;
  auto replies = client_.call_many(stored_keys, commands, deadline, &read_from);
  if (!replies) return std::unexpected(std::move(replies.error()));
  const auto signing_keys = keyring();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto session = opened(get_result((*replies)[i]), stored_keys[i], keys[i], signing_keys);
    if (!session) return std::unexpected(std::move(session.error()));
    if (cache_) update_cache(tickets[i], read_from, stored_keys[i], *session);
    sessions.push_back(std::move(*session));
  }
  return {};
}

Result<std::vector<Session>> RedisStore::Implementation::get_all(std::string_view user_id, std::string_view type) {
  const auto stored_key = stored_key_of(user_id, type);
  const Invalidation invalidation(cache_.get(), stored_key);
  return get_all_stored(stored_key, user_id, type);
}

Result<std::vector<Session>> RedisStore::Implementation::get_all_from_replica(std::string_view user_id,
                                                                              std::string_view type) {
  if (auto valid = validate(user_id, type); !valid) return std::unexpected(std::move(valid.error()));
  return get_all_stored(stored_key_of(user_id, type), user_id, type, &redis::Client::call_replica);
}

Result<std::vector<Session>> RedisStore::Implementation::get_all_stored(const std::string& stored_key,
                                                                        std::string_view user_id, std::string_view type,
                                                                        Read read) {
  const auto reply = (client_.*read)(stored_key, get_all_command(stored_key), client_.new_deadline(), nullptr);
  if (!reply) return std::unexpected(reply.error());
  const auto fields = get_all_result(*reply);
  if (!fields) return std::unexpected(fields.error());

  const auto keys = keyring();
  Result<std::vector<Session>> sessions(std::in_place);
  sessions->reserve(fields->size());
  for (const auto& field : *fields) {
    auto& session = sessions->emplace_back(
        Session{.id = std::string(field.id), .user_id = std::string(user_id), .type = std::string(type)});
    const auto is_live = open_stored(field.sealed, stored_key, keys, session);
    if (!is_live) return std::unexpected(is_live.error());
    if (!*is_live) sessions->pop_back();
  }
  return sessions;
}

// Into a session that has its key's members; false where there is none any more, or none that can be trusted.
Result<bool> RedisStore::Implementation::open_stored(std::string_view sealed, const std::string& stored_key,
                                                     const Keyring& keyring, Session& session) {
  const auto opened = sealing::open(sealed, stored_key, keyring, options_.encryption, session);
  if (opened) return is_live(session, options_.clock());
  calls_.tell(&Observer::on_verification_failed, [&] {
    const auto named = sealing::named_key(sealed, keyring);
    return VerificationFailedEvent{.id_hash = session_id_hash(session.id),
                                   .type = session.type,
                                   .reason = opened.error(),
                                   .key_id = named ? printable_key_id(named->id) : std::string(),
                                   .is_key_known = named && named->is_in_keyring};
  });
  if (opened.error() != VerificationFailure::newer_format) return false;
  return std::unexpected(Error{ErrorCode::protocol,
                               "a stored session was written by a newer Obol in a format this one does not know; "
                               "deploy the newer release everywhere before it writes"});
}

}}  // namespace obol::v0
