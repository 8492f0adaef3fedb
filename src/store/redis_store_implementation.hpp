// What a RedisStore is made of; its parts are in redis_store.cpp, redis_store_reads.cpp and redis_store_writes.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/admission.hpp"
#include "base/fork_registration.hpp"
#include "base/process_end.hpp"
#include "near_cache/tracked_cache.hpp"
#include "obol/redis_store.hpp"
#include "obol/session_id.hpp"
#include "redis/client/client.hpp"
#include "store/client_options.hpp"
#include "store/observed_store.hpp"
#include "store/session_commands.hpp"
#include "store/store_core.hpp"

namespace obol { inline namespace v0 {

class [[gnu::visibility("hidden")]] RedisStore::Implementation final : public StoreCore {
 public:
  explicit Implementation(RedisStoreOptions options)
      : options_(without_keyring(options)),
        calls_(
            *this,
            {.observer = options_.observer, .max_payload_bytes = options_.max_payload_bytes, .clock = options_.clock}),
        client_(client_options(options), session_functions()),
        cache_(options.near_cache.enabled ? std::make_unique<TrackedCache>(options, *client_.identifying_source())
                                          : nullptr),
        keyring_(std::move(options.keyring)),
        fork_registration_(keyring_mutex_, [this] { calls_.admission()->forget_callers(); }),
        process_end_registration_([this] { close_at_end(); }) {}

  ~Implementation() override {
    close();
    calls_.admission()->await_idle();
  }

  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  Result<void> start();

  /// Who answers a read.
  using Read = Result<redis::Reply> (redis::Client::*)(std::string_view key, const redis::Command&, redis::Deadline,
                                                       redis::ServerIdentity* answered_by);

  ObservedStore& calls() { return calls_; }

  Result<std::optional<Session>> get(const SessionKey& key, bool& found_near) override;
  Result<std::vector<std::optional<Session>>> get_many(std::span<const SessionKey> keys) override;
  std::expected<void, UpsertError> upsert(Session& session, std::vector<std::string>& evicted) override;
  std::expected<void, UpsertError> rotate_id(Session& session) override;
  Result<Deleted> delete_one(const SessionKey& key) override;
  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override;
  Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override;
  Result<Deleted> delete_others(const SessionKey& keep) override;

  // What is not of every store; these check their arguments themselves.
  Result<std::optional<Session>> get_from_replica(const SessionKey& key);
  Result<std::vector<Session>> get_all_from_replica(std::string_view user_id, std::string_view type);
  Result<std::vector<Finding>> diagnose();
  Result<void> replace_keyring(Keyring keyring);
  Result<void> replace_credentials(UserCredentials credentials);
  Result<void> replace_sentinel_credentials(UserCredentials credentials);

  void close() {
    calls_.admission()->close();
    client_.close();
    if (cache_) cache_->stop();
  }

  PoolStatistics pool_statistics() { return client_.pool_statistics(); }

  // Whoever has entered is waited for by the destructor, so that this is there for as long as it is looked at.
  StatisticsSource statistics_source() {
    return [this, admission = calls_.admission()]() -> std::optional<StoreStatistics> {
      const Admission::Visit visit(*admission);
      if (!visit.is_admitted()) return std::nullopt;
      return StoreStatistics{.pool = pool_statistics(), .near_cache = near_cache_statistics()};
    };
  }

  NearCacheStatistics near_cache_statistics() {
    return cache_ ? cache_->sessions().statistics() : NearCacheStatistics{};
  }

 private:
  static RedisStoreOptions without_keyring(RedisStoreOptions options) {
    options.keyring = {};
    return options;
  }

  using Deadline = redis::Deadline;

  /// A call that does not end, since its thread ends the process from within it, must not keep the process.
  void close_at_end() {
    close();
    calls_.admission()->await_idle(Admission::Time::now() + options_.timeouts.total);
  }

  /// A session as it shall be stored, and all that is needed to send it.
  struct Write {
    Session session;
    std::string standing_id;  ///< What it replaces is stored under this one.
    std::string stored_key;
    std::string sealed;
    Keyring keyring;
  };
  Result<Write> prepare(Session session, std::string standing_id);
  std::expected<void, UpsertError> create(const Write& write);
  std::expected<void, UpsertError> managed_create(const Write& write, std::vector<std::string>& evicted);
  std::expected<void, UpsertError> make_room(const Write& write, Deadline deadline, std::vector<std::string>& evicted);
  std::expected<void, UpsertError> replace(const redis::Client::MakeWrite& make, const Write& write);
  std::unexpected<UpsertError> lost_to(std::optional<std::string_view> winner, const Write& write);
  Result<std::optional<Session>> get_stored(const std::string& stored_key, const SessionKey& key,
                                            Read read = &redis::Client::call,
                                            redis::ServerIdentity* answered_by = nullptr);
  Result<std::vector<Session>> get_all_stored(const std::string& stored_key, std::string_view user_id,
                                              std::string_view type, Read read = &redis::Client::call);
  Result<std::optional<Session>> get_cached(const std::string& stored_key, const SessionKey& key, bool& found_near);
  void update_cache(const NearCache::Ticket& ticket, redis::ServerIdentity read_from, const std::string& stored_key,
                    const std::optional<Session>& read);
  Result<void> get_some(std::span<const SessionKey> keys, Deadline deadline,
                        std::vector<std::optional<Session>>& sessions);
  Result<std::optional<Session>> opened(const Result<std::optional<std::string_view>>& sealed,
                                        const std::string& stored_key, const SessionKey& key, const Keyring& keyring);
  Result<bool> open_stored(std::string_view sealed, const std::string& stored_key, const Keyring& keyring,
                           Session& session);
  Result<Deleted> run_delete(const redis::Command& command, const std::string& stored_key);

  Keyring keyring() {
    const std::scoped_lock lock(keyring_mutex_);
    return keyring_;
  }

  /// What a call leaves that shall leave a mark.
  std::optional<RevocationMark> revocation_mark() const {
    const auto lifetime = options_.policy.revocation_mark_lifetime;
    if (lifetime.count() == 0) return std::nullopt;
    return RevocationMark{.at = std::chrono::floor<std::chrono::seconds>(options_.clock()), .lifetime = lifetime};
  }

  std::string stored_key_of(std::string_view user_id, std::string_view type) const {
    return stored_key(options_.key_prefix, user_id, type);
  }

  const RedisStoreOptions options_;  ///< Without the keyring, which may be replaced.
  ObservedStore calls_;
  redis::Client client_;
  const std::unique_ptr<TrackedCache> cache_;  ///< Null where it is off.
  std::mutex keyring_mutex_;
  Keyring keyring_;
  ForkRegistration fork_registration_;
  ProcessEndRegistration process_end_registration_;
};

}}  // namespace obol::v0
