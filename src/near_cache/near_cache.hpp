// Verified sessions by the hash they stand in, bounded in bytes: the container of the near cache.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "obol/session.hpp"
#include "obol/store_statistics.hpp"
#include "redis/protocol/server_identity.hpp"

namespace obol { inline namespace v0 {

/// Thread-safe. Asks no server: whoever listens to one says what has changed, and until when what is here may be used.
/// Takes no lock while it is out of use, so that a forked child, where nobody listens, can go on with abandon().
class NearCache {
 public:
  using Time = std::chrono::steady_clock;

  /// Given each session that was kept and is dropped now. Must be quick and must not throw.
  using Drop = void (*)(Session&) noexcept;

  /// `drop` may be null.
  explicit NearCache(std::size_t max_bytes, Drop drop = nullptr)
      : bytes_of_shard_(max_bytes / shard_count), drop_(drop) {}
  ~NearCache() { empty(); }
  NearCache(const NearCache&) = delete;
  NearCache& operator=(const NearCache&) = delete;

  /// A session that may be used now.
  std::optional<Session> find(std::string_view stored_key, std::string_view id);

  /// Taken before a session is read from the server: what is read may be kept unless that hash has changed since.
  class Ticket {
    friend class NearCache;
    explicit Ticket(std::uint64_t changes) : changes_(changes) {}
    std::uint64_t changes_;
  };
  Ticket begin_read(std::string_view stored_key);

  /// Kept only if it was read from the server that tells of changes: another's are not heard of. If another version is
  /// kept, one of the two is of the past, and neither is kept.
  void keep(const Ticket& ticket, redis::ServerIdentity read_from, std::string_view stored_key, const Session& session);

  /// A session in this hash has changed, or was seen to be other than what may be kept.
  void invalidate(std::string_view stored_key);

  /// Any may have changed.
  void clear();

  /// From now on, changes of this server are heard of; what was read before will not be kept. Its identity is known.
  void come_into_use(redis::ServerIdentity server);

  /// What is here is true until then, at least.
  void extend_use(Time::time_point until) { usable_until_ = until.time_since_epoch().count(); }

  /// Changes are no longer heard of.
  void go_out_of_use();

  /// The same in a forked child as it begins. Another thread of the parent may have been changing what was kept: that
  /// is neither read nor freed any more. Statistics begin anew.
  void abandon() noexcept;

  NearCacheStatistics statistics();

 private:
  struct Group {
    std::string stored_key;
    std::list<Session> sessions;  ///< Not a vector, which would leave copies of short strings behind as it grows.
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
  struct Shards {
    std::array<Shard, shard_count> all;
    Shards* next_abandoned = nullptr;
  };

  Shard& shard_of(std::string_view stored_key) {
    return shards_->all[std::hash<std::string_view>{}(stored_key) % shard_count];
  }
  bool is_in_use() const { return heard_server_.load().is_known(); }
  void add(Shard& shard, std::string_view stored_key, const Session& session);
  void erase(Shard& shard, Groups::iterator group) const;
  void drop_all(Group& group) const;
  void empty();
  void make_room(Shard& shard);

  std::unique_ptr<Shards> shards_ = std::make_unique<Shards>();
  /// Made early: a child allocates nothing as it begins. Null in a child.
  std::unique_ptr<Shards> childs_shards_ = std::make_unique<Shards>();
  const std::size_t bytes_of_shard_;
  const Drop drop_;
  std::atomic<Time::rep> usable_until_{0};
  std::atomic<redis::ServerIdentity> heard_server_{};  ///< Whose changes are heard of; unknown: nobody's.
};

/// Drops what is kept of a hash once a write of it or a look at all of it has come back, whatever came of it, and
/// before the caller knows.
class Invalidation {
 public:
  /// `cache` may be null. The key must outlive it.
  Invalidation(NearCache* cache, std::string_view stored_key) : cache_(cache), stored_key_(stored_key) {}
  ~Invalidation() {
    if (cache_ != nullptr) cache_->invalidate(stored_key_);
  }
  Invalidation(const Invalidation&) = delete;
  Invalidation& operator=(const Invalidation&) = delete;

 private:
  NearCache* cache_;
  std::string_view stored_key_;
};

}}  // namespace obol::v0
