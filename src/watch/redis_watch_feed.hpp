// What servers tell of watched sessions: a tracking connection to each node that has some.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/fork_registration.hpp"
#include "obol/redis_store_options.hpp"
#include "redis/connection/credentials_source.hpp"
#include "redis/connection/tracking.hpp"
#include "redis/core/retry_budget.hpp"
#include "redis/topology/node.hpp"
#include "redis/topology/topology.hpp"
#include "watch/watch_core.hpp"

namespace obol { inline namespace v0 {

/// Thread-safe.
class RedisWatchFeed final : public WatchFeed {
 public:
  /// The core owns it.
  RedisWatchFeed(WatchCore& core, const RedisStoreOptions& options);
  ~RedisWatchFeed() override;

  /// Learns where the servers are, and opens the first connection.
  Result<void> start();

  WatchTable::NodeId node_of(std::string_view key) override;
  void wake(WatchTable::NodeId node) noexcept override;
  std::optional<WatchTable::Time> tend(WatchTable::Time now) override;
  void stop() override;
  void add_to(SessionWatchStatistics& statistics) const override;
  Result<void> replace_credentials(UserCredentials credentials) override;

 private:
  class Channel;
  using Id = WatchTable::NodeId;

  std::shared_ptr<Channel> channel_to(const redis::NodeHandle& node);
  std::shared_ptr<Channel> channel_at(Id id) const;
  std::shared_ptr<Channel> first_channel_from(Id id) const;
  Id id_of(const redis::NodeHandle& node);
  void rehome(Id from, const std::vector<std::string>& keys);
  void begin_search();
  void search();
  void drop_idle();

  WatchCore& core_;
  const std::chrono::milliseconds connect_timeout_;
  const redis::Tracking::Settings settings_;
  redis::RetryBudget budget_{};
  redis::ConnectionCounts counts_{};
  const std::shared_ptr<redis::CredentialsSource> credentials_;
  const std::unique_ptr<redis::Topology> topology_;
  std::atomic<std::uint64_t> connections_{0};
  std::atomic<std::uint64_t> losses_{0};
  std::atomic<bool> is_searching_{false};
  WatchTable::Time looks_for_idle_at_{};  ///< The keeper's.
  std::vector<Id> idle_{};                ///< The keeper's: without hashes when it looked last.
  mutable std::mutex mutex_;
  std::unordered_map<Id, std::shared_ptr<Channel>> channels_;
  Id next_id_ = 0;
  bool is_stopped_ = false;
  ForkRegistration fork_registration_;
};

}}  // namespace obol::v0
