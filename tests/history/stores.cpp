#include "history/stores.hpp"

#include <utility>

#include "support/sessions.hpp"

namespace obol::testing::history {

Stores::Stores(const RedisStoreOptions& options, const StoresOptions& wanted) {
  if (wanted.blocking) {
    blocking_ = std::make_unique<RedisStore>(connected(options));
    places_.push_back({.store = blocking_.get()});
  }
  if (wanted.drivers == 0) return;
  std::vector<std::unique_ptr<AsyncRedisStore>> stores;
  stores.push_back(std::make_unique<AsyncRedisStore>(connected<AsyncRedisStore>(options)));
  while (stores.size() < wanted.drivers) {
    stores.push_back(std::make_unique<AsyncRedisStore>(stores.front()->another().value()));
  }
  for (auto& store : stores) {
    const auto seed = wanted.seed + async_.size();
    async_.push_back(std::make_unique<Facade>(std::move(store), seed, wanted.has_limits));
    places_.push_back({.store = async_.back().get(), .is_async = true});
  }
}

std::vector<AsyncRedisStore*> Stores::async() const {
  std::vector<AsyncRedisStore*> stores;
  for (const auto& facade : async_) stores.push_back(&facade->store());
  return stores;
}

NearCacheStatistics Stores::near_cache_statistics() const {
  if (blocking_) return blocking_->near_cache_statistics();
  return async_.front()->near_cache_statistics();
}

}  // namespace obol::testing::history
