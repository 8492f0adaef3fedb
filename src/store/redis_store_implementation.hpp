// What a RedisStore is made of. redis_store_calls.cpp has its calls, redis_store.cpp the rest.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/admission.hpp"
#include "base/fork_registration.hpp"
#include "base/process_end.hpp"
#include "obol/redis_store.hpp"
#include "redis/core/deadline.hpp"
#include "store/observed_store.hpp"
#include "store/operation.hpp"
#include "store/redis_store_parts.hpp"
#include "store/store_core.hpp"

namespace obol { inline namespace v0 {

class [[gnu::visibility("hidden")]] RedisStore::Implementation final : public StoreCore {
 public:
  explicit Implementation(RedisStoreOptions options)
      : parts_(std::move(options)),
        calls_(*this, {.observer = parts_.options().observer,
                       .max_payload_bytes = parts_.options().max_payload_bytes,
                       .clock = parts_.options().clock}),
        fork_registration_([this] { calls_.admission()->forget_callers(); }),
        process_end_registration_([this] { close_at_end(); }) {}

  ~Implementation() override {
    close();
    calls_.admission()->await_idle();
  }

  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  ObservedStore& calls() { return calls_; }
  RedisStoreParts& parts() { return parts_; }

  Result<std::optional<Session>> get(const SessionKey& key, bool& found_near) override;
  Result<std::vector<std::optional<Session>>> get_many(std::span<const SessionKey> keys) override;
  std::expected<void, UpsertError> upsert(Session& session, std::vector<std::string>& evicted) override;
  std::expected<void, UpsertError> rotate_id(Session& session) override;
  Result<Deleted> delete_one(const SessionKey& key) override;
  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override;
  Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override;
  Result<Deleted> delete_all(std::string_view user_id, std::span<const std::string> types) override;
  Result<Deleted> delete_others(const SessionKey& keep) override;

  // What is not of every store.
  Result<std::optional<Session>> get_from_replica(const SessionKey& key);
  Result<std::vector<Session>> get_all_from_replica(std::string_view user_id, std::string_view type);

  void close() {
    calls_.admission()->close();
    parts_.close();
  }

  PoolStatistics pool_statistics() { return parts_.client().pool_statistics(); }

  // Whoever has entered is waited for by the destructor, so that this is there for as long as it is looked at.
  StatisticsSource statistics_source() {
    return [this, admission = calls_.admission()]() -> std::optional<StoreStatistics> {
      const Admission::Visit visit(*admission);
      if (!visit.is_admitted()) return std::nullopt;
      return StoreStatistics{.pool = pool_statistics(), .near_cache = parts_.near_cache_statistics()};
    };
  }

 private:
  /// A call that does not end, since its thread ends the process from within it, must not keep the process.
  void close_at_end() {
    close();
    calls_.admission()->await_idle(Admission::Time::now() + parts_.options().timeouts.total);
  }

  template <class Run>
  void run(Run&& operation);
  template <StoreOperation Asking>
  std::optional<Request> ask(Asking& operation, const Request& request, redis::Deadline deadline);

  RedisStoreParts parts_;
  ObservedStore calls_;
  ForkRegistration fork_registration_;
  ProcessEndRegistration process_end_registration_;
};

}}  // namespace obol::v0
