// What a RedisStore is made of. redis_store_calls.cpp has its calls, redis_store.cpp the rest.
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
#include "redis/client/client.hpp"
#include "store/client_options.hpp"
#include "store/observed_store.hpp"
#include "store/operation.hpp"
#include "store/session_write.hpp"
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

  ObservedStore& calls() { return calls_; }

  Result<std::optional<Session>> get(const SessionKey& key, bool& found_near) override;
  Result<std::vector<std::optional<Session>>> get_many(std::span<const SessionKey> keys) override;
  std::expected<void, UpsertError> upsert(Session& session, std::vector<std::string>& evicted) override;
  std::expected<void, UpsertError> rotate_id(Session& session) override;
  Result<Deleted> delete_one(const SessionKey& key) override;
  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override;
  Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override;
  Result<Deleted> delete_others(const SessionKey& keep) override;

  // What is not of every store.
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

  /// A call that does not end, since its thread ends the process from within it, must not keep the process.
  void close_at_end() {
    close();
    calls_.admission()->await_idle(Admission::Time::now() + options_.timeouts.total);
  }

  template <class Run>
  void run(Run&& operation);
  template <StoreOperation Asking>
  std::optional<Request> ask(Asking& operation, const Request& request, redis::Deadline deadline);

  StoreContext context() const { return {.options = options_, .cache = cache_ ? &cache_->sessions() : nullptr}; }
  StoreContext context_to_read() const {
    return {.options = options_, .cache = cache_ ? &cache_->sessions_to_read() : nullptr};
  }
  Result<WriteContext> context_to_write();

  Keyring keyring() {
    const std::scoped_lock lock(keyring_mutex_);
    return keyring_;
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
