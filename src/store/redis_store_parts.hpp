// What every store in Redis is made of, whether its calls block or not: options, keyring, client and near cache.
#pragma once

#include <memory>
#include <vector>

#include "near_cache/tracked_cache.hpp"
#include "obol/finding.hpp"
#include "obol/keyring.hpp"
#include "obol/redis_store_options.hpp"
#include "obol/store_statistics.hpp"
#include "obol/user_credentials.hpp"
#include "redis/client/client.hpp"
#include "sealing/replaceable_keyring.hpp"
#include "store/call_reports.hpp"
#include "store/operation.hpp"
#include "store/session_write.hpp"

namespace obol { inline namespace v0 {

/// Thread-safe. Several stores may share it.
class RedisStoreParts {
 public:
  explicit RedisStoreParts(RedisStoreOptions options);
  ~RedisStoreParts() { close(); }
  RedisStoreParts(const RedisStoreParts&) = delete;
  RedisStoreParts& operator=(const RedisStoreParts&) = delete;

  /// Makes the first connections, and tells the observer what is wrong with the server.
  Result<void> start();

  /// Ends what uses connections; more than once does no harm.
  void close();

  Result<std::vector<Finding>> diagnose();
  Result<void> replace_keyring(Keyring keyring);
  Result<void> replace_credentials(UserCredentials credentials);
  Result<void> replace_sentinel_credentials(UserCredentials credentials);
  NearCacheStatistics near_cache_statistics();

  const RedisStoreOptions& options() const { return options_; }  ///< Without the keyring, which may be replaced.
  const CallReports& reports() const { return reports_; }
  redis::Client& client() { return client_; }

  // What operations work with.
  StoreContext context() const { return {.options = options_, .cache = cache_ ? &cache_->sessions() : nullptr}; }
  StoreContext context_to_read() const {
    return {.options = options_, .cache = cache_ ? &cache_->sessions_to_read() : nullptr};
  }
  Result<WriteContext> context_to_write();
  bool has_near_cache() const { return cache_ != nullptr; }
  Keyring keyring() const { return keyring_.get(); }

 private:
  const RedisStoreOptions options_;
  const CallReports reports_;
  redis::Client client_;
  const std::unique_ptr<TrackedCache> cache_;  ///< Null if it is off.
  sealing::ReplaceableKeyring keyring_;
};

}}  // namespace obol::v0
