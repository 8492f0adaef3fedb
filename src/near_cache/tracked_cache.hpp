// The near cache at work: kept true by what the server tells of changes.
#pragma once

#include <atomic>
#include <memory>
#include <string_view>

#include "near_cache/near_cache.hpp"
#include "obol/observer.hpp"
#include "obol/redis_store_options.hpp"
#include "redis/connection/identifying_source.hpp"
#include "redis/connection/tracking.hpp"

namespace obol { inline namespace v0 {

/// Joins a NearCache to the Tracking that feeds it. Thread-safe.
class TrackedCache final : private redis::Tracking::Listener {
 public:
  /// `source` must outlive it.
  TrackedCache(const RedisStoreOptions& options, redis::IdentifyingSource& source);

  Result<void> start() { return tracking_.start(); }
  void stop() { tracking_.stop(); }

  NearCache& sessions() { return sessions_; }

  /// The same for a read. In a forked child it tells the observer, once, that the cache is out of use.
  NearCache& sessions_to_read();

 private:
  void on_listening(redis::ServerIdentity server) noexcept override { sessions_.come_into_use(server); }
  void on_change(std::string_view key) noexcept override { sessions_.invalidate(key); }
  void on_flush() noexcept override { sessions_.clear(); }
  void on_alive(redis::Deadline::Time::time_point then) noexcept override;
  void on_lost(std::string_view reason) noexcept override;
  void on_fork() noexcept override;

  void tell(const NearCacheEvent& event) const noexcept;

  const std::shared_ptr<Observer> observer_;
  const std::chrono::milliseconds max_staleness_;
  bool is_in_use_ = false;  ///< The observer knows.
  std::atomic<bool> is_fork_untold_{false};
  NearCache sessions_;
  redis::Tracking tracking_;
};

}}  // namespace obol::v0
