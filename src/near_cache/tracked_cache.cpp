// Times and events of the near cache.
#include "near_cache/tracked_cache.hpp"

#include <utility>

#include "sealing/cleansing.hpp"

namespace obol { inline namespace v0 {

TrackedCache::TrackedCache(const RedisStoreOptions& options, redis::IdentifyingSource& source)
    : observer_(options.observer),
      max_staleness_(options.near_cache.max_staleness),
      sessions_(options.near_cache.max_bytes, options.encryption == Encryption::off ? nullptr : cleanse),
      tracking_(source, *this,
                {.purpose = "the near cache",
                 .prefix = options.key_prefix + "{",
                 .connect_timeout = options.timeouts.connect,
                 .question_interval = max_staleness_ / 3,
                 .patience = max_staleness_,
                 .lifetime = options.pool.lifetime_limit}) {}

// A change that the server made after `then` is heard of after the next sign of life at the latest, or not at all.
void TrackedCache::on_alive(redis::Deadline::Time::time_point then) noexcept {
  sessions_.extend_use(then + max_staleness_);
  if (!std::exchange(is_in_use_, true)) tell({.is_in_use = true});
}

void TrackedCache::on_lost(std::string_view reason) noexcept {
  sessions_.go_out_of_use();
  if (std::exchange(is_in_use_, false)) tell({.is_in_use = false, .reason = reason});
}

// No host's code runs inside a fork.
void TrackedCache::on_fork() noexcept {
  sessions_.abandon();
  is_fork_untold_ = std::exchange(is_in_use_, false);
}

NearCache& TrackedCache::sessions_to_read() {
  if (is_fork_untold_.load(std::memory_order_relaxed) && is_fork_untold_.exchange(false)) {
    tell({.is_in_use = false, .reason = "a forked child has no near cache"});
  }
  return sessions_;
}

void TrackedCache::tell(const NearCacheEvent& event) const noexcept {
  if (observer_) observer_->on_near_cache_changed(event);
}

}}  // namespace obol::v0
