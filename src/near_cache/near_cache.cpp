// Finds, keeps and drops sessions.
#include "near_cache/near_cache.hpp"

#include <algorithm>
#include <utility>

namespace obol { inline namespace v0 {
namespace {

/// With its share of the list, the map and the heap's own bookkeeping.
constexpr std::size_t group_overhead = 256;
constexpr std::size_t session_overhead = 64;

std::size_t bytes_of(const Session& session) {
  return sizeof(Session) + session_overhead + session.id.size() + session.user_id.size() + session.type.size() +
         session.refresh_token_id.size() + session.extra_payload.size();
}

}  // namespace

std::optional<Session> NearCache::find(std::string_view stored_key, std::string_view id) {
  auto& shard = shard_of(stored_key);
  shard.lookups.fetch_add(1, std::memory_order_relaxed);
  if (Time::now().time_since_epoch().count() >= usable_until_.load()) return std::nullopt;
  const std::scoped_lock lock(shard.mutex);
  const auto found = shard.by_key.find(stored_key);
  if (found == shard.by_key.end()) return std::nullopt;
  const auto group = found->second;
  const auto session = std::ranges::find(group->sessions, id, &Session::id);
  if (session == group->sessions.end()) return std::nullopt;
  shard.groups.splice(shard.groups.begin(), shard.groups, group);
  shard.hits.fetch_add(1, std::memory_order_release);
  return *session;
}

NearCache::Ticket NearCache::begin_read(std::string_view stored_key) { return Ticket(shard_of(stored_key).changes); }

void NearCache::keep(const Ticket& ticket, redis::ServerIdentity read_from, std::string_view stored_key,
                     const Session& session) {
  if (!is_in_use()) return;
  auto& shard = shard_of(stored_key);
  const std::scoped_lock lock(shard.mutex);
  const auto found = shard.by_key.find(stored_key);
  if (found != shard.by_key.end()) {
    const auto& sessions = found->second->sessions;
    const auto kept = std::ranges::find(sessions, session.id, &Session::id);
    if (kept != sessions.end() && kept->lock_version == session.lock_version) return;
    if (kept != sessions.end()) {
      ++shard.changes;
      return erase(shard, found->second);
    }
  }
  // To hear of another server counts as a change of all: it was this one when the ticket was taken.
  if (read_from == heard_server_.load() && shard.changes == ticket.changes_) add(shard, stored_key, session);
}

void NearCache::add(Shard& shard, std::string_view stored_key, const Session& session) {
  const auto bytes = bytes_of(session);
  if (bytes + group_overhead > bytes_of_shard_) return;
  auto found = shard.by_key.find(stored_key);
  if (found == shard.by_key.end()) {
    shard.groups.push_front({.stored_key = std::string(stored_key), .sessions = {}, .bytes = group_overhead});
    shard.bytes += group_overhead;
    found = shard.by_key.emplace(shard.groups.front().stored_key, shard.groups.begin()).first;
  }
  auto& group = *found->second;
  group.sessions.push_back(session);
  group.bytes += bytes;
  shard.bytes += bytes;
  make_room(shard);
}

// The change is counted first: a reader that has not kept what it read by then will not.
void NearCache::invalidate(std::string_view stored_key) {
  auto& shard = shard_of(stored_key);
  ++shard.changes;
  ++shard.invalidations;
  if (!is_in_use()) return;
  const std::scoped_lock lock(shard.mutex);
  if (const auto found = shard.by_key.find(stored_key); found != shard.by_key.end()) erase(shard, found->second);
}

void NearCache::clear() {
  for (auto& shard : shards_->all) ++shard.changes;
  if (is_in_use()) empty();
}

void NearCache::empty() {
  for (auto& shard : shards_->all) {
    ++shard.changes;
    const std::scoped_lock lock(shard.mutex);
    for (auto& group : shard.groups) drop_all(group);
    shard.by_key.clear();
    shard.groups.clear();
    shard.bytes = 0;
  }
}

void NearCache::come_into_use(redis::ServerIdentity server) {
  empty();
  heard_server_ = server;
}

// In this order: what is kept after it was emptied would come back into use.
void NearCache::go_out_of_use() {
  usable_until_ = 0;
  heard_server_ = redis::ServerIdentity();
  empty();
}

// Reachable for ever, so that no tool takes them for lost.
void NearCache::abandon() noexcept {
  static Shards* abandoned = nullptr;
  heard_server_ = redis::ServerIdentity();
  usable_until_ = 0;
  if (!childs_shards_) return;
  shards_->next_abandoned = abandoned;
  abandoned = shards_.release();
  shards_ = std::move(childs_shards_);
}

NearCacheStatistics NearCache::statistics() {
  NearCacheStatistics sum;
  std::uint64_t lookups = 0;
  for (auto& shard : shards_->all) {
    // In this order, so that what is found meanwhile makes no more hits than lookups.
    sum.hits += shard.hits;
    lookups += shard.lookups;
    sum.evictions += shard.evictions;
    sum.invalidations += shard.invalidations;
    if (!is_in_use()) continue;
    const std::scoped_lock lock(shard.mutex);
    sum.bytes += shard.bytes;
    for (const auto& group : shard.groups) sum.sessions += group.sessions.size();
  }
  sum.misses = lookups - sum.hits;
  return sum;
}

void NearCache::drop_all(Group& group) const {
  if (drop_ == nullptr) return;
  for (auto& session : group.sessions) drop_(session);
}

void NearCache::erase(Shard& shard, Groups::iterator group) const {
  drop_all(*group);
  shard.bytes -= group->bytes;
  shard.by_key.erase(group->stored_key);
  shard.groups.erase(group);
}

void NearCache::make_room(Shard& shard) {
  while (shard.bytes > bytes_of_shard_) {
    shard.evictions += shard.groups.back().sessions.size();
    erase(shard, std::prev(shard.groups.end()));
  }
}

}}  // namespace obol::v0
