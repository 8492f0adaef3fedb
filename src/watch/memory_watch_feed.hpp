// What a MemoryStore tells of watched sessions.
#pragma once

#include <optional>
#include <string_view>

#include "obol/memory_store.hpp"
#include "store/watched_memory.hpp"
#include "watch/watch_core.hpp"

namespace obol { inline namespace v0 {

/// Thread-safe. The keeper reads the store, which has one node.
class MemoryWatchFeed final : public WatchFeed, private WatchedMemory::Listener {
 public:
  /// The core owns it; the store must outlive it.
  MemoryWatchFeed(WatchCore& core, MemoryStore& store);
  ~MemoryWatchFeed() override;

  WatchTable::NodeId node_of(std::string_view) override { return only_node; }
  void wake(WatchTable::NodeId) noexcept override { core_.wake_keeper(); }
  std::optional<WatchTable::Time> tend(WatchTable::Time now) override;
  void stop() override;
  void add_to(SessionWatchStatistics&) const override {}
  Result<void> replace_credentials(UserCredentials) override { return {}; }

 private:
  static constexpr WatchTable::NodeId only_node = 0;

  void on_change(std::string_view user_id, std::string_view type) override;
  void on_expiry(std::string_view user_id, std::string_view type, std::string_view id) override;
  bool read_next();

  WatchCore& core_;
  WatchedMemory store_;
};

}}  // namespace obol::v0
