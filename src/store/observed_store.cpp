#include "store/observed_store.hpp"

#include "obol/session_limits.hpp"
#include "store/call_arguments.hpp"

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
    if (auto valid = validate_keys(keys); !valid) return std::unexpected(std::move(valid.error()));
    return core_.get_many(keys);
  });
}

std::expected<Upserted, UpsertError> ObservedStore::upsert(Session& session) {
  const auto operation = session.lock_version == 0 ? Operation::create : Operation::update;
  return call(operation, [&]() -> std::expected<Upserted, UpsertError> {
    if (auto valid = validate(session, settings_.max_payload_bytes, settings_.clock()); !valid) {
      return std::unexpected(UpsertError{std::move(valid.error()), {}});
    }
    Upserted upserted;
    auto stored = core_.upsert(session, upserted.evicted);
    reports_.upserted(operation, session, upserted.evicted, stored);
    if (stored) return upserted;
    return std::unexpected(std::move(stored.error()));
  });
}

std::expected<void, UpsertError> ObservedStore::rotate_id(Session& session) {
  return call(Operation::rotate_id, [&]() -> std::expected<void, UpsertError> {
    if (auto valid = validate_rotation(session, settings_.max_payload_bytes, settings_.clock()); !valid) {
      return std::unexpected(UpsertError{std::move(valid.error()), {}});
    }
    auto rotated = core_.rotate_id(session);
    reports_.rotated_id(session, rotated);
    return rotated;
  });
}

Result<Deleted> ObservedStore::delete_one(const SessionKey& key) {
  return call(Operation::delete_one, [&]() -> Result<Deleted> {
    if (auto valid = validate(key); !valid) return std::unexpected(std::move(valid.error()));
    auto deleted = core_.delete_one(key);
    reports_.deleted_one(key, deleted);
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
    reports_.deleted_all(type, deleted);
    return deleted;
  });
}

Result<Deleted> ObservedStore::delete_all(std::string_view user_id, std::span<const std::string> types) {
  return call(Operation::delete_all, [&]() -> Result<Deleted> {
    if (auto valid = validate(user_id, types); !valid) return std::unexpected(std::move(valid.error()));
    auto deleted = core_.delete_all(user_id, types);
    reports_.deleted_all(types, deleted);
    return deleted;
  });
}

Result<Deleted> ObservedStore::delete_others(const SessionKey& keep) {
  return call(Operation::delete_others, [&]() -> Result<Deleted> {
    if (auto valid = validate(keep); !valid) return std::unexpected(std::move(valid.error()));
    auto deleted = core_.delete_others(keep);
    reports_.deleted_others(keep, deleted);
    return deleted;
  });
}

}}  // namespace obol::v0
