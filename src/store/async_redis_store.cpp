// AsyncRedisStore: how it comes up, makes its calls, and ends.
#include "obol/async_redis_store.hpp"

#include <utility>

#include "base/background_tasks.hpp"
#include "options/redis_store_options.hpp"
#include "redis/loop/engine.hpp"
#include "store/async_calls.hpp"
#include "store/async_diagnosis.hpp"
#include "store/async_operation_call.hpp"
#include "store/async_store_core.hpp"
#include "store/redis_store_parts.hpp"
#include "values/closed_error.hpp"

namespace obol { inline namespace v0 {
namespace {

/// Closes the parts when the last store that shares them is gone; calls that wait for their executor may keep them.
std::shared_ptr<RedisStoreParts> closed_by_last_owner(const std::shared_ptr<RedisStoreParts>& parts) {
  const auto close = [parts](RedisStoreParts*) {
    // The thread of the near cache may be opening a connection, and is not waited for here.
    if (!parts->has_near_cache() || !BackgroundTasks::start([parts] { parts->close(); })) parts->close();
  };
  return {parts.get(), close};
}

}  // namespace

class [[gnu::visibility("hidden")]] AsyncRedisStore::Implementation {
 public:
  static Result<std::unique_ptr<Implementation>> create(const std::shared_ptr<RedisStoreParts>& parts,
                                                        std::shared_ptr<RedisStoreParts> owned_parts) {
    auto engine = redis::Engine::create({parts, &parts->client()}, parts->options().pool);
    if (!engine) return std::unexpected(std::move(engine.error()));
    auto core = std::make_shared<AsyncStoreCore>(parts, std::move(*engine));
    return std::make_unique<Implementation>(std::move(core), std::move(owned_parts));
  }

  Implementation(std::shared_ptr<AsyncStoreCore> core, std::shared_ptr<RedisStoreParts> owned_parts)
      : owned_parts_(std::move(owned_parts)), core_(std::move(core)) {}
  ~Implementation() { core_->shut_down(); }
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  Result<std::unique_ptr<Implementation>> another() const {
    if (core_->is_closed()) return std::unexpected(closed_error());
    return create(core_->shared_parts(), owned_parts_);
  }

  template <class Work, class... Arguments>
  AsyncCall<typename Work::Outcome> call(CallOptions options, Arguments&&... arguments) {
    return AsyncCall<typename Work::Outcome>(
        std::make_unique<AsyncOperationCall<Work>>(core_, std::move(options), std::forward<Arguments>(arguments)...));
  }

  AsyncCall<Result<std::vector<Finding>>> diagnose(CallOptions options) {
    return AsyncCall<AsyncDiagnosis::Outcome>(std::make_unique<AsyncDiagnosis>(core_, std::move(options)));
  }

  // Keeps nothing of the store.
  StatisticsSource statistics_source() const {
    return [weak_core = std::weak_ptr(core_)]() {
      std::optional<StoreStatistics> statistics;
      if (const auto core = weak_core.lock(); core && !core->is_closed()) {
        core->with_engine([&](const redis::Engine& engine) {
          statistics = {.pool = engine.statistics(), .near_cache = core->parts().near_cache_statistics()};
        });
      }
      return statistics;
    };
  }

  AsyncStoreCore& core() { return *core_; }
  redis::Engine& engine() { return core_->engine(); }
  RedisStoreParts& parts() { return core_->parts(); }

 private:
  const std::shared_ptr<RedisStoreParts> owned_parts_;
  const std::shared_ptr<AsyncStoreCore> core_;
};

Result<AsyncRedisStore> AsyncRedisStore::connect(RedisStoreOptions options) {
  if (auto valid = validate(options); !valid) return std::unexpected(std::move(valid.error()));
  const auto parts = std::make_shared<RedisStoreParts>(std::move(options));
  if (auto started = parts->start(); !started) return std::unexpected(std::move(started.error()));
  auto implementation = Implementation::create(parts, closed_by_last_owner(parts));
  if (!implementation) return std::unexpected(std::move(implementation.error()));
  return AsyncRedisStore(std::move(*implementation));
}

Result<AsyncRedisStore> AsyncRedisStore::another() const {
  auto implementation = implementation_->another();
  if (!implementation) return std::unexpected(std::move(implementation.error()));
  return AsyncRedisStore(std::move(*implementation));
}

AsyncRedisStore::AsyncRedisStore(std::unique_ptr<Implementation> implementation) noexcept
    : implementation_(std::move(implementation)) {}
AsyncRedisStore::AsyncRedisStore(AsyncRedisStore&&) noexcept = default;
AsyncRedisStore& AsyncRedisStore::operator=(AsyncRedisStore&&) noexcept = default;
AsyncRedisStore::~AsyncRedisStore() = default;

AsyncCall<Result<std::optional<Session>>> AsyncRedisStore::get(SessionKey key, CallOptions options) {
  return implementation_->call<AsyncGet>(std::move(options), ReadFrom::primary, std::move(key));
}
AsyncCall<Result<std::vector<std::optional<Session>>>> AsyncRedisStore::get_many(std::vector<SessionKey> keys,
                                                                                 CallOptions options) {
  return implementation_->call<AsyncGetMany>(std::move(options), std::move(keys));
}
AsyncCall<std::expected<UpsertedSession, UpsertError>> AsyncRedisStore::upsert(Session session, CallOptions options) {
  return implementation_->call<AsyncUpsert>(std::move(options), std::move(session));
}
AsyncCall<std::expected<Session, UpsertError>> AsyncRedisStore::rotate_id(Session session, CallOptions options) {
  return implementation_->call<AsyncRotateId>(std::move(options), std::move(session));
}
AsyncCall<Result<Deleted>> AsyncRedisStore::delete_one(SessionKey key, CallOptions options) {
  return implementation_->call<AsyncDeleteOne>(std::move(options), std::move(key));
}
AsyncCall<Result<std::vector<Session>>> AsyncRedisStore::get_all(std::string user_id, std::string type,
                                                                 CallOptions options) {
  return implementation_->call<AsyncGetAll>(std::move(options), ReadFrom::primary, std::move(user_id), std::move(type));
}
AsyncCall<Result<Deleted>> AsyncRedisStore::delete_all(std::string user_id, std::string type, CallOptions options) {
  return implementation_->call<AsyncDeleteAll>(std::move(options), std::move(user_id), std::move(type));
}
AsyncCall<Result<Deleted>> AsyncRedisStore::delete_all(std::string user_id, std::vector<std::string> types,
                                                       CallOptions options) {
  return implementation_->call<AsyncDeleteTypes>(std::move(options), std::move(user_id), std::move(types));
}
AsyncCall<Result<Deleted>> AsyncRedisStore::delete_others(SessionKey keep, CallOptions options) {
  return implementation_->call<AsyncDeleteOthers>(std::move(options), std::move(keep));
}
AsyncCall<Result<std::optional<Session>>> AsyncRedisStore::get_from_replica(SessionKey key, CallOptions options) {
  return implementation_->call<AsyncGet>(std::move(options), ReadFrom::replica, std::move(key));
}
AsyncCall<Result<std::vector<Session>>> AsyncRedisStore::get_all_from_replica(std::string user_id, std::string type,
                                                                              CallOptions options) {
  return implementation_->call<AsyncGetAll>(std::move(options), ReadFrom::replica, std::move(user_id), std::move(type));
}
AsyncCall<Result<std::vector<Finding>>> AsyncRedisStore::diagnose(CallOptions options) {
  return implementation_->diagnose(std::move(options));
}

int AsyncRedisStore::descriptor() const { return implementation_->engine().descriptor(); }
void AsyncRedisStore::run_ready() { implementation_->core().run_ready(); }
void AsyncRedisStore::post(Completion& ended, Executor* executor) noexcept {
  if (!implementation_->core().deliver(ended, executor)) const Completions dropped(ended);
}

PoolStatistics AsyncRedisStore::pool_statistics() const { return implementation_->engine().statistics(); }
NearCacheStatistics AsyncRedisStore::near_cache_statistics() const {
  return implementation_->parts().near_cache_statistics();
}
StatisticsSource AsyncRedisStore::statistics_source() const { return implementation_->statistics_source(); }

Result<void> AsyncRedisStore::replace_keyring(Keyring keyring) {
  return implementation_->parts().replace_keyring(std::move(keyring));
}
Result<void> AsyncRedisStore::replace_credentials(UserCredentials credentials) {
  return implementation_->parts().replace_credentials(std::move(credentials));
}
Result<void> AsyncRedisStore::replace_sentinel_credentials(UserCredentials credentials) {
  return implementation_->parts().replace_sentinel_credentials(std::move(credentials));
}

void AsyncRedisStore::close() { implementation_->core().close(); }
bool AsyncRedisStore::closed() const { return implementation_->core().has_ended(); }

}}  // namespace obol::v0
