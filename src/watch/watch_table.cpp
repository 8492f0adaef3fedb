// Which hashes are settled, which must be read, and what their watches are told.
#include "watch/watch_table.hpp"

#include <algorithm>
#include <functional>

#include "base/on_exit.hpp"

namespace obol { inline namespace v0 {
namespace {

/// Servers tell lifetimes in whole milliseconds, and Valkey may end a field one of them early.
constexpr std::chrono::milliseconds precision{2};

/// Longer lifetimes are looked at again then, so that no time overflows.
constexpr std::chrono::milliseconds longest_lifetime{std::chrono::hours(24 * 365)};

/// After these the slot map must be learnt.
constexpr int most_moves = 5;

}  // namespace

/// Where a hash stands: in one of the lists of its node.
class WatchTable::Hash {
 public:
  enum class Place : std::uint8_t { settled, queued, flying };

  std::string key;
  NodeId node = nobody;
  Hashes::iterator self{};
  Watches watches{};    ///< By id.
  Time confirmed_at{};  ///< What is known of it was true then; of a settled one its node knows better.
  Time read_at{};       ///< When the present read of it began.
  std::optional<Time> due{};
  Dues::iterator scheduled{};     ///< If it is due.
  Dues::node_type unscheduled{};  ///< If not, so that it can be due without memory.
  std::string cursor{};           ///< The last session that the present read of it has seen.
  bool has_changed = false;       ///< Since the present read of it began.
  bool asks = false;
  std::uint8_t moves = 0;  ///< Without an answer.
  Place place = Place::queued;
};

struct WatchTable::Flight {
  Hash* hash;
  std::vector<std::string> ids;
  std::uint64_t read;
  Time asked_at;
  bool is_last;  ///< Of the present read of the hash.
};

struct WatchTable::Node {
  bool is_listening = false;
  bool is_silent = false;  ///< For longer than max_staleness.
  Time alive_at{};
  Hashes settled{};
  Hashes queued{};
  Hashes flying{};
  std::deque<Flight> flights{};
};

WatchTable::WatchTable(std::chrono::milliseconds max_staleness) : max_staleness_(max_staleness) { nodes_[nobody]; }
WatchTable::~WatchTable() = default;

void WatchTable::add(Watched& watched, std::string_view key, NodeId node, Time now) {
  const auto named = changed_.size() + counts_.watched;
  if (changed_.capacity() <= named) changed_.reserve(2 * named + 16);
  auto& hash = hash_of(key, node, now);
  const OnExit tidy([&] { erase_if_unused(hash); });
  const auto place = std::ranges::upper_bound(hash.watches, watched.id, {}, &Watched::id);
  hash.watches.insert(place, &watched);
  watched.hash = &hash;
  watched.since = reads_begun_;
  ++counts_.watched;
  mark_changed(hash);
}

// A new one if need be.
auto WatchTable::hash_of(std::string_view key, NodeId node, Time now) -> Hash& {
  if (const auto found = index_.find(key); found != index_.end()) return *found->second;
  Dues dues;
  dues.emplace(now, nullptr);
  auto& queued = nodes_[node].queued;
  Hashes made(1);
  auto& hash = made.front();
  hash.key = key;
  hash.node = node;
  hash.self = made.begin();
  hash.confirmed_at = now;
  hash.unscheduled = dues.extract(dues.begin());
  index_.emplace(hash.key, &hash);
  queued.splice(queued.end(), made);
  set_due(hash, now + max_staleness_);
  return hash;
}

void WatchTable::remove(Watched& watched) noexcept {
  if (watched.is_named) std::erase(changed_, &watched);
  watched.is_named = false;
  if (watched.hash == nullptr) return;
  auto& hash = *watched.hash;
  leave(watched);
  erase_if_unused(hash);
}

// Out of its hash, which may be left without any. Returns what was behind it.
auto WatchTable::leave(Watched& watched) noexcept -> Watches::iterator {
  auto& watches = watched.hash->watches;
  const auto same_id = std::ranges::equal_range(watches, watched.id, {}, &Watched::id);
  watched.hash = nullptr;
  --counts_.watched;
  if (watched.status == Status::unknown) --counts_.unknown;
  return watches.erase(std::ranges::find(same_id, &watched));
}

void WatchTable::erase_if_unused(Hash& hash) noexcept {
  if (!hash.watches.empty() || hash.place == Hash::Place::flying) return;
  set_due(hash, std::nullopt);
  index_.erase(hash.key);
  list_of(hash).erase(hash.self);
}

void WatchTable::clear() noexcept {
  for (const auto& [key, hash] : index_) {
    for (auto* const watched : hash->watches) watched->hash = nullptr;
  }
  for (auto* const watched : changed_) watched->is_named = false;
  index_.clear();
  due_.clear();
  changed_.clear();
  for (auto& [id, node] : nodes_) {
    node.flights.clear();
    for (auto* const list : {&node.settled, &node.queued, &node.flying}) list->clear();
  }
  counts_.watched = counts_.unknown = 0;
}

auto WatchTable::list_of(const Hash& hash) -> Hashes& {
  auto& node = nodes_.at(hash.node);
  switch (hash.place) {
    case Hash::Place::settled:
      return node.settled;
    case Hash::Place::flying:
      return node.flying;
    case Hash::Place::queued:
      break;
  }
  return node.queued;
}

// It must be read, or read again.
void WatchTable::mark_changed(Hash& hash) {
  if (hash.place == Hash::Place::settled) {
    hash.confirmed_at = std::max(hash.confirmed_at, nodes_.at(hash.node).alive_at);
    queue(hash);
  } else if (hash.place == Hash::Place::flying || !hash.cursor.empty()) {
    hash.has_changed = true;
  }
}

// To be read from its beginning.
void WatchTable::queue(Hash& hash) {
  auto& queued = nodes_.at(hash.node).queued;
  queued.splice(queued.end(), list_of(hash), hash.self);
  hash.place = Hash::Place::queued;
  hash.cursor.clear();
  hash.has_changed = false;
  set_due(hash, hash.confirmed_at + max_staleness_);
}

void WatchTable::settle(Hash& hash) {
  auto& settled = nodes_.at(hash.node).settled;
  settled.splice(settled.end(), list_of(hash), hash.self);
  hash.place = Hash::Place::settled;
  hash.cursor.clear();
  std::optional<Time> first;
  for (const auto* const watched : hash.watches) {
    if (watched->expires_at && (!first || *watched->expires_at < *first)) first = watched->expires_at;
  }
  if (first) *first += precision;
  set_due(hash, first);
}

void WatchTable::set_due(Hash& hash, std::optional<Time> due) {
  if (hash.due == due) return;
  auto entry = hash.due ? due_.extract(hash.scheduled) : std::move(hash.unscheduled);
  hash.due = due;
  if (!due) {
    hash.unscheduled = std::move(entry);
    return;
  }
  entry.value() = {*due, &hash};
  hash.scheduled = due_.insert(std::move(entry)).position;
}

auto WatchTable::find(NodeId id) -> Node* {
  const auto node = nodes_.find(id);
  return node == nodes_.end() ? nullptr : &node->second;
}

void WatchTable::on_listening(NodeId id, Time now) {
  on_lost(id);
  auto& node = nodes_[id];
  node.is_listening = true;
  node.is_silent = false;
  node.alive_at = now;
}

void WatchTable::on_lost(NodeId id) {
  if (find(id) == nullptr) return;
  auto& node = *find(id);
  node.flights.clear();
  on_flush(id);
  while (!node.flying.empty()) {
    auto& hash = node.flying.front();
    queue(hash);
    erase_if_unused(hash);
  }
  for (auto& hash : node.queued) hash.cursor.clear();
  node.is_listening = false;
}

void WatchTable::on_alive(NodeId id, Time then, Time now) {
  if (auto* const node = find(id)) hear_from(*node, then, now);
}

void WatchTable::hear_from(Node& node, Time then, Time now) {
  node.alive_at = std::max(node.alive_at, then);
  if (!node.is_silent || node.alive_at + max_staleness_ <= now) return;
  node.is_silent = false;
  for (const auto& hash : node.settled) {
    for (auto* const watched : hash.watches) set_status(*watched, Status::live);
  }
}

void WatchTable::on_change(NodeId node, std::string_view key) {
  const auto found = index_.find(key);
  if (found != index_.end() && found->second->node == node) mark_changed(*found->second);
}

void WatchTable::on_flush(NodeId id) {
  if (find(id) == nullptr) return;
  auto& node = *find(id);
  while (!node.settled.empty()) mark_changed(node.settled.front());
  for (auto* const list : {&node.queued, &node.flying}) {
    for (auto& hash : *list) mark_changed(hash);
  }
}

auto WatchTable::next_read(NodeId id, Time now) -> std::optional<Read> {
  auto& node = nodes_[id];
  while (node.is_listening && !node.queued.empty()) {
    auto& hash = node.queued.front();
    // Nothing may be left to read if watches behind the cursor have ended.
    if (fly(node, hash, now)) return Read{.key = hash.key, .ids = node.flights.back().ids, .asks = hash.asks};
    finish_read(hash);
  }
  return std::nullopt;
}

bool WatchTable::fly(Node& node, Hash& hash, Time now) {
  if (hash.cursor.empty()) {
    hash.read_at = now;
    hash.has_changed = false;
    ++counts_.reads;
  }
  Flight flight{.hash = &hash, .ids = {}, .read = ++reads_begun_, .asked_at = now, .is_last = true};
  auto next = std::ranges::upper_bound(hash.watches, hash.cursor, {}, &Watched::id);
  for (; next != hash.watches.end(); ++next) {
    if (!flight.ids.empty() && flight.ids.back() == (*next)->id) continue;
    if (flight.ids.size() == most_ids_per_read) break;
    flight.ids.push_back((*next)->id);
  }
  if (flight.ids.empty()) return false;
  flight.is_last = next == hash.watches.end();
  node.flights.push_back(std::move(flight));
  node.flying.splice(node.flying.end(), node.queued, hash.self);
  hash.place = Hash::Place::flying;
  return true;
}

void WatchTable::finish_read(Hash& hash) {
  hash.confirmed_at = std::max(hash.confirmed_at, hash.read_at);
  if (hash.has_changed) {
    queue(hash);
  } else {
    settle(hash);
  }
}

bool WatchTable::on_answer(NodeId id, std::span<const std::int64_t> lifetimes, Time now) {
  if (find(id) == nullptr) return false;
  auto& node = *find(id);
  if (node.flights.empty() || node.flights.front().ids.size() != lifetimes.size()) return false;
  auto flight = std::move(node.flights.front());
  node.flights.pop_front();
  auto& hash = *flight.hash;
  hash.moves = 0;
  hear_from(node, flight.asked_at, now);
  for (std::size_t i = 0; i < lifetimes.size(); ++i) take_lifetime(hash, flight.ids[i], flight, lifetimes[i], now);
  if (!flight.is_last) {
    node.queued.splice(node.queued.begin(), node.flying, hash.self);
    hash.place = Hash::Place::queued;
    hash.cursor = std::move(flight.ids.back());
  } else {
    finish_read(hash);
  }
  erase_if_unused(hash);
  return true;
}

bool WatchTable::on_no_hash(NodeId id, Time now) {
  const auto* const node = find(id);
  if (node == nullptr || node->flights.empty()) return false;
  return on_answer(id, std::vector<std::int64_t>(node->flights.front().ids.size(), not_there), now);
}

// Of one session of the hash. A watch that was added after the question is told by the next answer.
void WatchTable::take_lifetime(Hash& hash, const std::string& id, const Flight& flight, std::int64_t lifetime,
                               Time now) {
  auto next = std::ranges::lower_bound(hash.watches, id, {}, &Watched::id);
  while (next != hash.watches.end() && (*next)->id == id) {
    auto& watched = **next++;
    if (watched.since >= flight.read) continue;
    if (lifetime == not_there) {
      watched.has_expired = watched.expires_at && now >= *watched.expires_at - precision;
      next = leave(watched);
      watched.status = Status::ended;
      ++counts_.ended;
      name(watched);
      continue;
    }
    set_status(watched, Status::live);
    watched.expires_at.reset();
    if (lifetime == never_expires) continue;
    const auto left = std::clamp<std::int64_t>(lifetime, 0, longest_lifetime.count());
    watched.expires_at = flight.asked_at + std::chrono::milliseconds(left);
  }
}

void WatchTable::on_moved(NodeId id, NodeId to, bool asks) {
  if (to != nobody) nodes_[to];
  auto* const node = find(id);
  if (node == nullptr || node->flights.empty()) return;
  auto& hash = *node->flights.front().hash;
  node->flights.pop_front();
  const bool is_lost = to == nobody || ++hash.moves > most_moves;
  if (is_lost) hash.moves = 0;
  hash.asks = asks && !is_lost;
  place_at(hash, is_lost ? nobody : to);
  erase_if_unused(hash);
}

void WatchTable::assign(std::string_view key, NodeId node) {
  const auto found = index_.find(key);
  // What flies comes back, and says where the hash is.
  if (found == index_.end() || found->second->place == Hash::Place::flying || found->second->node == node) return;
  found->second->asks = false;
  nodes_[node];
  place_at(*found->second, node);
}

void WatchTable::abandon(NodeId id) noexcept {
  auto* const node = find(id);
  if (node == nullptr || id == nobody) return;
  on_lost(id);
  while (!node->queued.empty()) place_at(node->queued.front(), nobody);
  nodes_.erase(id);
}

void WatchTable::place_at(Hash& hash, NodeId node) {
  if (hash.place == Hash::Place::settled) mark_changed(hash);
  auto& queued = find(node)->queued;
  queued.splice(queued.end(), list_of(hash), hash.self);
  hash.place = Hash::Place::queued;
  hash.node = node;
  queue(hash);
}

std::vector<std::string> WatchTable::keys_of(NodeId id) const {
  std::vector<std::string> keys;
  const auto node = nodes_.find(id);
  if (node == nodes_.end()) return keys;
  for (const auto* const list : {&node->second.settled, &node->second.queued, &node->second.flying}) {
    for (const auto& hash : *list) keys.push_back(hash.key);
  }
  return keys;
}

bool WatchTable::has_hashes(NodeId id) const {
  const auto node = nodes_.find(id);
  if (node == nodes_.end()) return false;
  return !node->second.settled.empty() || !node->second.queued.empty() || !node->second.flying.empty();
}

void WatchTable::note_expiry(std::string_view key, std::string_view id, Time now) {
  const auto found = index_.find(key);
  if (found == index_.end()) return;
  for (auto* const watched : found->second->watches) {
    if (watched->id == id) watched->expires_at = now;
  }
}

auto WatchTable::next_due() const -> std::optional<Time> {
  std::optional<Time> due;
  if (!due_.empty()) due = due_.begin()->first;
  for (const auto& [id, node] : nodes_) {
    if (!node.is_listening || node.is_silent || node.settled.empty()) continue;
    const auto silent_at = node.alive_at + max_staleness_;
    if (!due || silent_at < *due) due = silent_at;
  }
  return due;
}

void WatchTable::on_time(Time now) {
  for (auto& [id, node] : nodes_) {
    if (!node.is_listening || node.is_silent || node.alive_at + max_staleness_ > now) continue;
    node.is_silent = true;
    for (auto& hash : node.settled) lose_sight_of(hash);
  }
  while (!due_.empty() && due_.begin()->first <= now) {
    auto& hash = *due_.begin()->second;
    if (hash.place == Hash::Place::settled) {
      mark_changed(hash);
    } else {
      set_due(hash, std::nullopt);
      lose_sight_of(hash);
    }
  }
}

void WatchTable::lose_sight_of(Hash& hash) {
  for (auto* const watched : hash.watches) set_status(*watched, Status::unknown);
}

// A session whose first read finds it is what its host expects.
void WatchTable::set_status(Watched& watched, Status status) {
  if (watched.status == status) return;
  if (status == Status::unknown) ++counts_.unknown;
  if (watched.status == Status::unknown) --counts_.unknown;
  const bool is_expected = watched.status == Status::awaited && status == Status::live;
  watched.status = status;
  if (!is_expected) name(watched);
}

void WatchTable::name(Watched& watched) noexcept {
  if (std::exchange(watched.is_named, true)) return;
  changed_.push_back(&watched);
}

}}  // namespace obol::v0
