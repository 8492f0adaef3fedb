// The stores on which a history is made: a blocking one, asynchronous ones that share what they can, or both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "history/impatient.hpp"
#include "history/workload.hpp"
#include "obol/async_redis_store.hpp"
#include "obol/redis_store.hpp"
#include "support/blocking_facade.hpp"

namespace obol::testing::history {

struct StoresOptions {
  bool blocking = true;
  std::size_t drivers = 0;  ///< So many asynchronous stores, made by another() and each with a thread that drives it.
  bool has_limits = true;   ///< Some calls of an asynchronous store have little time.
  std::uint64_t seed = 1;   ///< Of those that give up.
};

class Stores {
 public:
  Stores(const RedisStoreOptions& options, const StoresOptions& wanted);

  std::span<const Place> places() const { return places_; }

  /// Null if there is none.
  std::unique_ptr<RedisStore>& blocking() { return blocking_; }

  /// While a store is driven, only a forked child may move or destroy it.
  std::vector<AsyncRedisStore*> async() const;

  /// Of the blocking store, if there is one.
  NearCacheStatistics near_cache_statistics() const;

 private:
  using Facade = BlockingFacade<Impatient, AsyncRedisStore>;

  std::unique_ptr<RedisStore> blocking_;
  std::vector<std::unique_ptr<Facade>> async_;
  std::vector<Place> places_;
};

}  // namespace obol::testing::history
