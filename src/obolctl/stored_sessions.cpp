// Reads hashes of sessions in batches.
#include "obolctl/stored_sessions.hpp"

#include <algorithm>
#include <utility>

#include "obol/session_limits.hpp"
#include "obolctl/scan.hpp"
#include "sealing/sealing.hpp"

namespace obol::ctl {

using redis::Command;
using redis::Reply;

Result<std::vector<StoredSession>> read_sessions(Primary& primary, std::span<const StoredKey> stored_keys) {
  std::vector<Command> commands;
  commands.reserve(stored_keys.size());
  for (const auto& stored_key : stored_keys) commands.push_back(get_all_command(stored_key.key));
  auto replies = primary.call_all(commands);
  if (!replies) return std::unexpected(std::move(replies.error()));
  std::vector<StoredSession> sessions;
  for (std::size_t i = 0; i < stored_keys.size(); ++i) {
    auto fields = get_all_result((*replies)[i]);
    if (!fields) return std::unexpected(std::move(fields.error()));
    for (const auto& field : *fields) {
      sessions.push_back({.stored_key = stored_keys[i],
                          .id = std::string(field.id),
                          .sealed = std::string(field.sealed),
                          .expiry = {}});
    }
  }
  return sessions;
}

Result<std::vector<StoredSession>> read_sessions_with_expiry(Primary& primary, std::span<const StoredKey> stored_keys) {
  auto sessions = read_sessions(primary, stored_keys);
  if (!sessions) return sessions;
  std::vector<Command> commands;
  commands.reserve(sessions->size());
  for (const auto& session : *sessions) {
    commands.push_back({"HPEXPIRETIME", session.stored_key.key, "FIELDS", "1", session.id});
  }
  const auto replies = primary.call_all(commands);
  if (!replies) return std::unexpected(replies.error());
  std::vector<StoredSession> live;
  live.reserve(sessions->size());
  for (std::size_t i = 0; i < sessions->size(); ++i) {
    const auto& reply = (*replies)[i];
    // Redis answers for a key that is gone with nil or with -2 for the field.
    if (reply.kind != Reply::Kind::list || reply.elements.size() != 1) continue;
    const auto expires = reply.elements.front().integer;
    if (expires == -2) continue;
    auto& session = (*sessions)[i];
    if (expires >= 0) session.expiry = FieldExpiry(std::chrono::milliseconds(expires));
    live.push_back(std::move(session));
  }
  return live;
}

Result<void> validate_user(std::string_view user_id, std::span<const std::string> types) {
  return types.empty() ? validate(user_id, "full") : validate(user_id, types);
}

Result<std::vector<StoredKey>> stored_keys_of_user(const Server& server, std::string_view prefix,
                                                   std::string_view user_id, std::span<const std::string> types) {
  std::vector<StoredKey> found;
  const auto add = [&found](StoredKey stored_key) {
    if (std::ranges::find(found, stored_key) == found.end()) found.push_back(std::move(stored_key));
  };
  if (!types.empty()) {
    for (const auto& type : types) add(make_stored_key(prefix, user_id, type));
    return found;
  }
  auto scanned = for_each_stored_key(server, prefix, stored_keys_pattern(prefix, user_id),
                                     [&](Primary&, std::span<const StoredKey> stored_keys, double) -> Result<void> {
                                       for (const auto& stored_key : stored_keys) {
                                         if (stored_key.user_id == user_id) add(stored_key);
                                       }
                                       return {};
                                     });
  if (!scanned) return std::unexpected(std::move(scanned.error()));
  std::ranges::sort(found, {}, &StoredKey::type);
  return found;
}

std::string Judgement::word() const {
  if (failure) return std::string(to_string(*failure));
  return session ? "verified" : "unchecked";
}

Judgement judge(const StoredSession& stored, const Keyring& keyring) {
  if (keyring.empty()) return {};
  auto session = sealing::open(stored.sealed, stored.stored_key.key, stored.key(), keyring, Encryption::off);
  if (!session) return {.session = {}, .failure = session.error()};
  return {.session = std::move(*session), .failure = {}};
}

}  // namespace obol::ctl
