// Verified sessions by the hash they stand in, bounded in bytes: the container of the near cache.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "obol/near_cache.hpp"
#include "obol/session.hpp"

namespace obol::inline v0 {

/// Thread-safe. Knows nothing of servers: whoever listens to one says what has changed, and until when what is here may
/// be used. Takes no lock while it is out of use, so that a forked child, where nobody listens, can go on with abandon.
class NearCache {
 public:
  using Time = std::chrono::steady_clock;

  explicit NearCache(std::size_t maximum_bytes) : bytes_of_shard_(maximum_bytes / shard_count) {}

  /// A session that may be used now.
  std::optional<Session> find(std::string_view stored_key, std::string_view id);

  /// Taken before a session is read from the server: what is read may be kept unless that hash has changed since.
  class Ticket {
    friend class NearCache;
    explicit Ticket(std::uint64_t changes) : changes_(changes) {}
    std::uint64_t changes_;
  };
  Ticket begin_read(std::string_view stored_key);

  /// Where another version is kept, one of the two is of the past, and neither is kept.
  void keep(const Ticket& ticket, std::string_view stored_key, const Session& session);

  /// A session in this hash has changed, or was seen to be other than what may be kept.
  void invalidate(std::string_view stored_key);

  /// Any may have changed.
  void clear();

  /// From now on, changes are heard of; what was read before will not be kept.
  void come_into_use();

  /// What is here is true until then, at least.
  void extend_use(Time::time_point until) { usable_until_ = until.time_since_epoch().count(); }

  /// Changes are no longer heard of.
  void go_out_of_use();

  /// The same in a forked child, where another thread of the parent's may hold a lock for ever.
  void abandon() {
    is_listening_ = false;
    usable_until_ = 0;
  }

  NearCacheStatistics statistics();

 private:
  struct Group {
    std::string stored_key;
    std::vector<Session> sessions;
    std::size_t bytes = 0;
  };
  using Groups = std::list<Group>;

  struct alignas(64) Shard {
    std::mutex mutex;
    Groups groups;  ///< The one used last stands first.
    std::unordered_map<std::string_view, Groups::iterator> by_key;
    std::size_t bytes = 0;
    std::atomic<std::uint64_t> lookups{0};
    std::atomic<std::uint64_t> hits{0};
    std::atomic<std::uint64_t> evictions{0};
    std::atomic<std::uint64_t> invalidations{0};
    std::atomic<std::uint64_t> changes{0};  ///< Also where all may have changed.
  };

  static constexpr std::size_t shard_count = 64;

  Shard& shard_of(std::string_view stored_key) {
    return shards_[std::hash<std::string_view>{}(stored_key) % shard_count];
  }
  void add(Shard& shard, std::string_view stored_key, const Session& session);
  static void erase(Shard& shard, Groups::iterator group);
  void make_room(Shard& shard);

  std::array<Shard, shard_count> shards_;
  const std::size_t bytes_of_shard_;
  std::atomic<Time::rep> usable_until_{0};
  std::atomic<bool> is_listening_{false};
};

}  // namespace obol::inline v0
