// RedisStore: how it comes up, looks at its server, and hands its calls on.
#include "obol/redis_store.hpp"

#include <fmt/format.h>

#include <mutex>
#include <utility>

#include "obol/session_limits.hpp"
#include "options/redis_store_options.hpp"
#include "sealing/keyring.hpp"
#include "store/diagnosis.hpp"
#include "store/redis_store_implementation.hpp"

namespace obol { inline namespace v0 {

Result<void> RedisStore::Implementation::start() {
  // A function that also works at maxmemory.
  const auto make_probe = [](std::string_view key) { return delete_others_command(key, "probe"); };
  if (auto started = client_.start(probe_key(options_.key_prefix), make_probe); !started) return started;
  if (cache_) {
    if (auto started = cache_->start(); !started) return started;
  }
  if (!calls_.is_observed()) return {};
  // A look that fails takes nothing from a connection that works.
  if (const auto findings = diagnose()) {
    for (const auto& finding : *findings) calls_.tell(&Observer::on_finding, [&] { return finding; });
  }
  return {};
}

Result<std::vector<Finding>> RedisStore::Implementation::diagnose() {
  const auto inspections = client_.inspect(probe_key(options_.key_prefix), diagnosis_commands);
  if (!inspections) return std::unexpected(inspections.error());
  std::vector<Finding> findings;
  for (const auto& inspection : *inspections) {
    for (auto& finding : v0::diagnose(inspection, options_, options_.clock())) {
      // Of several servers, which.
      if (inspections->size() > 1) finding.message = fmt::format("{}: {}", inspection.endpoint, finding.message);
      findings.push_back(std::move(finding));
    }
  }
  return findings;
}

Result<void> RedisStore::Implementation::replace_keyring(Keyring keyring) {
  if (keyring.empty()) {
    return std::unexpected(Error{ErrorCode::invalid_argument, "the new keyring is empty; the old one stays in use"});
  }
  {
    const std::scoped_lock lock(keyring_mutex_);
    if (auto valid = keyring_.keys()->check_ids_against(*keyring.keys()); !valid) return valid;
    std::swap(keyring_, keyring);
  }
  if (cache_) cache_->sessions().clear();
  return {};
}

Result<void> RedisStore::Implementation::replace_credentials(UserCredentials credentials) {
  if (credentials.username.empty() && credentials.password.empty()) {
    return std::unexpected(Error{ErrorCode::invalid_argument,
                                 "the new credentials have neither user nor password; the old ones stay in use"});
  }
  client_.replace_credentials(std::move(credentials));
  return {};
}

Result<void> RedisStore::Implementation::replace_sentinel_credentials(UserCredentials credentials) {
  if (options_.connection.sentinel.sentinels.empty()) {
    return std::unexpected(
        Error{ErrorCode::invalid_argument, "connection.sentinel is not set, so there are no sentinels"});
  }
  client_.replace_sentinel_credentials(std::move(credentials));
  return {};
}

Result<RedisStore> RedisStore::connect(RedisStoreOptions options) {
  if (auto valid = validate(options); !valid) return std::unexpected(std::move(valid.error()));
  auto implementation = std::make_unique<Implementation>(std::move(options));
  if (auto started = implementation->start(); !started) return std::unexpected(std::move(started.error()));
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
  return implementation_->calls().visit([&] { return implementation_->replace_keyring(std::move(keyring)); });
}
Result<std::vector<Finding>> RedisStore::diagnose() {
  return implementation_->calls().call([&] { return implementation_->diagnose(); });
}
PoolStatistics RedisStore::pool_statistics() const {
  return implementation_->calls().visit([&] { return implementation_->pool_statistics(); });
}
StatisticsSource RedisStore::statistics_source() const {
  return implementation_->calls().visit([&] { return implementation_->statistics_source(); });
}
NearCacheStatistics RedisStore::near_cache_statistics() const {
  return implementation_->calls().visit([&] { return implementation_->near_cache_statistics(); });
}
void RedisStore::close() {
  implementation_->calls().visit([&] { implementation_->close(); });
}
Result<void> RedisStore::replace_credentials(UserCredentials credentials) {
  return implementation_->calls().visit([&] { return implementation_->replace_credentials(std::move(credentials)); });
}
Result<void> RedisStore::replace_sentinel_credentials(UserCredentials credentials) {
  return implementation_->calls().visit(
      [&] { return implementation_->replace_sentinel_credentials(std::move(credentials)); });
}

}}  // namespace obol::v0
