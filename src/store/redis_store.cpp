// RedisStore: how it comes up, and hands its calls on.
#include "obol/redis_store.hpp"

#include <utility>

#include "obol/session_limits.hpp"
#include "options/redis_store_options.hpp"
#include "store/redis_store_implementation.hpp"

namespace obol { inline namespace v0 {

Result<RedisStore> RedisStore::connect(RedisStoreOptions options) {
  if (auto valid = validate(options); !valid) return std::unexpected(std::move(valid.error()));
  auto implementation = std::make_unique<Implementation>(std::move(options));
  if (auto started = implementation->parts().start(); !started) return std::unexpected(std::move(started.error()));
  return RedisStore(std::move(implementation));
}

RedisStore::RedisStore(std::unique_ptr<Implementation> implementation) noexcept
    : implementation_(std::move(implementation)) {}
RedisStore::RedisStore(RedisStore&&) noexcept = default;
RedisStore& RedisStore::operator=(RedisStore&&) noexcept = default;
RedisStore::~RedisStore() = default;

Result<std::optional<Session>> RedisStore::get(const SessionKey& key) { return implementation_->calls().get(key); }
Result<std::vector<std::optional<Session>>> RedisStore::get_many(std::span<const SessionKey> keys) {
  return implementation_->calls().get_many(keys);
}
std::expected<Upserted, UpsertError> RedisStore::upsert(Session& session) {
  return implementation_->calls().upsert(session);
}
std::expected<void, UpsertError> RedisStore::rotate_id(Session& session) {
  return implementation_->calls().rotate_id(session);
}
Result<Deleted> RedisStore::delete_one(const SessionKey& key) { return implementation_->calls().delete_one(key); }
Result<std::vector<Session>> RedisStore::get_all(std::string_view user_id, std::string_view type) {
  return implementation_->calls().get_all(user_id, type);
}
Result<Deleted> RedisStore::delete_all(std::string_view user_id, std::string_view type) {
  return implementation_->calls().delete_all(user_id, type);
}
Result<Deleted> RedisStore::delete_all(std::string_view user_id, std::span<const std::string> types) {
  return implementation_->calls().delete_all(user_id, types);
}
Result<Deleted> RedisStore::delete_others(const SessionKey& keep) {
  return implementation_->calls().delete_others(keep);
}
Result<std::optional<Session>> RedisStore::get_from_replica(const SessionKey& key) {
  return implementation_->calls().call(Operation::get, [&]() -> Result<std::optional<Session>> {
    if (auto valid = validate(key); !valid) return std::unexpected(std::move(valid.error()));
    return implementation_->get_from_replica(key);
  });
}
Result<std::vector<Session>> RedisStore::get_all_from_replica(std::string_view user_id, std::string_view type) {
  return implementation_->calls().call(Operation::get_all, [&]() -> Result<std::vector<Session>> {
    if (auto valid = validate(user_id, type); !valid) return std::unexpected(std::move(valid.error()));
    return implementation_->get_all_from_replica(user_id, type);
  });
}
Result<void> RedisStore::replace_keyring(Keyring keyring) {
  return implementation_->calls().visit([&] { return implementation_->parts().replace_keyring(std::move(keyring)); });
}
Result<std::vector<Finding>> RedisStore::diagnose() {
  return implementation_->calls().call([&] { return implementation_->parts().diagnose(); });
}
PoolStatistics RedisStore::pool_statistics() const {
  return implementation_->calls().visit([&] { return implementation_->pool_statistics(); });
}
StatisticsSource RedisStore::statistics_source() const {
  return implementation_->calls().visit([&] { return implementation_->statistics_source(); });
}
NearCacheStatistics RedisStore::near_cache_statistics() const {
  return implementation_->calls().visit([&] { return implementation_->parts().near_cache_statistics(); });
}
void RedisStore::close() {
  implementation_->calls().visit([&] { implementation_->close(); });
}
Result<void> RedisStore::replace_credentials(UserCredentials credentials) {
  return implementation_->calls().visit(
      [&] { return implementation_->parts().replace_credentials(std::move(credentials)); });
}
Result<void> RedisStore::replace_sentinel_credentials(UserCredentials credentials) {
  return implementation_->calls().visit(
      [&] { return implementation_->parts().replace_sentinel_credentials(std::move(credentials)); });
}

}}  // namespace obol::v0
