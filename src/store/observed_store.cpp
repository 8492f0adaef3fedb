#include "store/observed_store.hpp"

#include "obol/session_limits.hpp"

namespace obol { inline namespace v0 {

Result<std::optional<Session>> ObservedStore::get(const SessionKey& key) {
  bool found_near = false;
  const auto work = [&]() -> Result<std::optional<Session>> {
    if (auto valid = validate(key); !valid) return std::unexpected(std::move(valid.error()));
    return core_.get(key, found_near);
  };
  return call(Operation::get, work, found_near);
}

Result<std::vector<std::optional<Session>>> ObservedStore::get_many(std::span<const SessionKey> keys) {
  return call(Operation::get_many, [&]() -> Result<std::vector<std::optional<Session>>> {
    for (const auto& key : keys) {
      if (auto valid = validate(key); !valid) return std::unexpected(std::move(valid.error()));
    }
    return core_.get_many(keys);
  });
}

std::expected<Upserted, UpsertError> ObservedStore::upsert(Session& session) {
  const bool is_new = session.lock_version == 0;
  return call(is_new ? Operation::create : Operation::update, [&]() -> std::expected<Upserted, UpsertError> {
    if (auto valid = validate(session, settings_.max_payload_bytes, settings_.clock()); !valid) {
      return std::unexpected(UpsertError{std::move(valid.error()), {}});
    }
    Upserted upserted;
    auto stored = core_.upsert(session, upserted.evicted);
    if (stored) {
      tell(is_new ? &Observer::on_created : &Observer::on_refreshed,
           [&] { return event_of(session.id, session.type, session.lock_version); });
    }
    tell_evicted(session, upserted.evicted);
    if (stored) return upserted;
    tell_lost(session, stored.error());
    return std::unexpected(std::move(stored.error()));
  });
}

std::expected<void, UpsertError> ObservedStore::rotate_id(Session& session) {
  return call(Operation::rotate_id, [&]() -> std::expected<void, UpsertError> {
    if (session.lock_version == 0) {
      return std::unexpected(
          UpsertError{{ErrorCode::invalid_argument, "the session was never stored; upsert it first"}, {}});
    }
    if (auto valid = validate(session, settings_.max_payload_bytes, settings_.clock()); !valid) {
      return std::unexpected(UpsertError{std::move(valid.error()), {}});
    }
    auto rotated = core_.rotate_id(session);
    if (rotated) {
      tell(&Observer::on_id_rotated, [&] { return event_of(session.id, session.type, session.lock_version); });
    } else {
      tell_lost(session, rotated.error());
    }
    return rotated;
  });
}

Result<Deleted> ObservedStore::delete_one(const SessionKey& key) {
  return call(Operation::delete_one, [&]() -> Result<Deleted> {
    if (auto valid = validate(key); !valid) return std::unexpected(std::move(valid.error()));
    auto deleted = core_.delete_one(key);
    if (deleted) tell(&Observer::on_deleted, [&] { return event_of(key.id, key.type, 0); });
    return deleted;
  });
}

Result<std::vector<Session>> ObservedStore::get_all(std::string_view user_id, std::string_view type) {
  return call(Operation::get_all, [&]() -> Result<std::vector<Session>> {
    if (auto valid = validate(user_id, type); !valid) return std::unexpected(std::move(valid.error()));
    return core_.get_all(user_id, type);
  });
}

Result<Deleted> ObservedStore::delete_all(std::string_view user_id, std::string_view type) {
  return call(Operation::delete_all, [&]() -> Result<Deleted> {
    if (auto valid = validate(user_id, type); !valid) return std::unexpected(std::move(valid.error()));
    auto deleted = core_.delete_all(user_id, type);
    if (deleted) tell(&Observer::on_deleted_all, [&] { return DeletedAllEvent{.type = type, .kept_one = false}; });
    return deleted;
  });
}

Result<Deleted> ObservedStore::delete_others(const SessionKey& keep) {
  return call(Operation::delete_others, [&]() -> Result<Deleted> {
    if (auto valid = validate(keep); !valid) return std::unexpected(std::move(valid.error()));
    auto deleted = core_.delete_others(keep);
    if (deleted) tell(&Observer::on_deleted_all, [&] { return DeletedAllEvent{.type = keep.type, .kept_one = true}; });
    return deleted;
  });
}

void ObservedStore::tell_evicted(const Session& session, std::span<const std::string> evicted) const {
  for (const auto& id : evicted) {
    tell(&Observer::on_evicted, [&] { return event_of(id, session.type, 0); });
  }
}

// An error leaves the session as it was sent.
void ObservedStore::tell_lost(const Session& session, const UpsertError& error) const {
  const auto sent = [&] { return event_of(session.id, session.type, session.lock_version); };
  const auto code = static_cast<ErrorCode>(error.code.value());
  if (code == ErrorCode::conflict) tell(&Observer::on_conflict, sent);
  if (code == ErrorCode::gone) tell(&Observer::on_gone, sent);
  if (code == ErrorCode::too_many_sessions || code == ErrorCode::revoked) {
    tell(&Observer::on_refused,
         [&] { return RefusedEvent{.id_hash = session_id_hash(session.id), .type = session.type, .reason = code}; });
  }
}

}}  // namespace obol::v0
