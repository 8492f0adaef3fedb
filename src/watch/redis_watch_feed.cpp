// Joins tracking connections to the table: pushes mark hashes, reads are HPTTL, redirections move hashes.
#include "watch/redis_watch_feed.hpp"

#include <algorithm>
#include <deque>
#include <utility>

#include "base/background_tasks.hpp"
#include "base/on_exit.hpp"
#include "redis/client/make_topology.hpp"
#include "redis/core/deadline.hpp"
#include "redis/protocol/reply_error.hpp"
#include "store/client_options.hpp"
#include "store/session_commands.hpp"

namespace obol { inline namespace v0 {
namespace {

/// Of one send.
constexpr std::size_t most_bytes_read_at_once = std::size_t{64} * 1024;

/// Between searches for hashes whose node is not known, and between looks for connections that serve none.
constexpr std::chrono::milliseconds search_pause{100};
constexpr std::chrono::seconds idle_pause{10};

redis::ClientOptions own_client_options(const RedisStoreOptions& options) {
  auto own = client_options(options);
  own.replica_reads = {};
  own.identifies_server = false;
  return own;
}

}  // namespace

/// The connection to one node.
class RedisWatchFeed::Channel final : private redis::Tracking::Listener {
 public:
  Channel(RedisWatchFeed& feed, redis::NodeHandle node)
      : feed_(feed), node_(std::move(node)), tracking_(node_->source(), *this, feed.settings_) {}

  redis::Tracking& tracking() { return tracking_; }
  const redis::NodeHandle& node() const { return node_; }

  Id id = WatchTable::nobody;  ///< Set before the tracking is started.

 private:
  enum class Awaited : std::uint8_t { asking, lifetimes };

  template <class Work>
  void change(const Work& work) {
    feed_.core_.change(work);
  }

  void on_listening(redis::ServerIdentity) override {
    change([&](WatchTable& table) { table.on_listening(id, WatchTable::Steady::now()); });
    ++feed_.connections_;
    is_listening_ = true;
  }
  void on_change(std::string_view key) noexcept override {
    change([&](WatchTable& table) { table.on_change(id, key); });
  }
  void on_flush() noexcept override {
    change([&](WatchTable& table) { table.on_flush(id); });
  }
  void on_alive(WatchTable::Time then) noexcept override {
    change([&](WatchTable& table) { table.on_alive(id, then, WatchTable::Steady::now()); });
  }
  void on_lost(std::string_view) noexcept override {
    if (std::exchange(is_listening_, false)) ++feed_.losses_;
    awaited_.clear();
    change([&](WatchTable& table) { table.on_lost(id); });
  }
  void on_fork() noexcept override {}
  void on_unreachable() override {
    if (!feed_.topology_->is_sharded()) return;
    feed_.topology_->suspect(node_, redis::Deadline::after(feed_.connect_timeout_));
    std::vector<std::string> keys;
    change([&](WatchTable& table) { keys = table.keys_of(id); });
    feed_.rehome(id, keys);
  }

  Reads next_reads(std::size_t most) override {
    Reads reads;
    change([&](WatchTable& table) {
      while (reads.count < most && reads.commands.size() < most_bytes_read_at_once) {
        const auto read = table.next_read(id, WatchTable::Steady::now());
        if (!read) break;
        if (read->asks) append(reads, {"ASKING"}, Awaited::asking);
        append(reads, lifetimes_command(read->key, read->ids), Awaited::lifetimes);
      }
    });
    return reads;
  }

  void append(Reads& reads, const redis::Command& command, Awaited awaited) {
    reads.commands.append(command.bytes());
    ++reads.count;
    awaited_.push_back(awaited);
  }

  Result<void> on_reply(const redis::Reply& reply) override {
    if (awaited_.empty()) return unexpected_reply();
    const auto awaited = awaited_.front();
    awaited_.pop_front();
    // If ASKING was refused, so is what follows it.
    if (awaited == Awaited::asking) return {};
    if (reply.is_error() && reply.error_word() == "WRONGTYPE") {
      return take_answer([&](WatchTable& table) { return table.on_no_hash(id, WatchTable::Steady::now()); });
    }
    if (reply.is_error()) return take_refusal(reply);
    const auto lifetimes = lifetimes_result(reply);
    if (!lifetimes) return std::unexpected(lifetimes.error());
    return take_answer([&](WatchTable& table) { return table.on_answer(id, *lifetimes, WatchTable::Steady::now()); });
  }

  template <class Take>
  Result<void> take_answer(const Take& take) {
    bool is_answer = false;
    change([&](WatchTable& table) { is_answer = take(table); });
    if (!is_answer) return unexpected_reply();
    return {};
  }

  Result<void> take_refusal(const redis::Reply& refusal) {
    const auto remedy = redis::remedy_for(refusal);
    const auto redirect = redis::redirect_of(refusal);
    if (!feed_.topology_->is_sharded() || (remedy != redis::Remedy::wait && !redirect)) {
      return std::unexpected(redis::error_of(refusal, "HPTTL"));
    }
    auto to = WatchTable::nobody;
    if (redirect) {
      if (const auto next = feed_.topology_->join(*redirect, node_)) to = feed_.id_of(next);
    }
    const bool asks = redirect && redirect->kind == redis::Redirect::Kind::ask;
    change([&](WatchTable& table) { table.on_moved(id, to, asks); });
    feed_.wake(to);
    return {};
  }

  RedisWatchFeed& feed_;
  const redis::NodeHandle node_;
  bool is_listening_ = false;
  std::deque<Awaited> awaited_;  ///< Of the commands sent, in order. The tracking's thread's.
  redis::Tracking tracking_;
};

RedisWatchFeed::RedisWatchFeed(WatchCore& core, const RedisStoreOptions& options)
    : core_(core),
      connect_timeout_(options.timeouts.connect),
      settings_{.purpose = "a watch of sessions",
                .probe = lifetimes_command(probe_key(options.key_prefix), std::vector<std::string>{"probe"}),
                .connect_timeout = options.timeouts.connect,
                .question_interval = core.max_staleness() / 3,
                .patience = core.max_staleness(),
                .lifetime = options.pool.lifetime_limit},
      credentials_(std::make_shared<redis::CredentialsSource>(options.connection)),
      topology_(
          redis::make_topology(own_client_options(options), nullptr, budget_, counts_,
                               {.servers = credentials_,
                                .sentinels = std::make_shared<redis::CredentialsSource>(options.connection.sentinel)})),
      fork_registration_(mutex_) {}

RedisWatchFeed::~RedisWatchFeed() { stop(); }

// Of a cluster's nodes one is enough to hear what is not permitted.
Result<void> RedisWatchFeed::start() {
  if (auto learnt = topology_->start(redis::Deadline::after(connect_timeout_)); !learnt) return learnt;
  std::optional<Error> last_error;
  for (const auto& node : topology_->nodes()) {
    const auto channel = std::make_shared<Channel>(*this, node);
    {
      const std::scoped_lock lock(mutex_);
      channel->id = next_id_++;
      channels_.emplace(channel->id, channel);
    }
    auto started = channel->tracking().start();
    if (started) return {};
    {
      const std::scoped_lock lock(mutex_);
      channels_.erase(channel->id);
    }
    if (!topology_->is_sharded() || !redis::is_transient(started.error())) return started;
    last_error = std::move(started.error());
  }
  return std::unexpected(
      last_error.value_or(Error{ErrorCode::unavailable, "the cluster has no primary; check its nodes"}));
}

auto RedisWatchFeed::channel_at(Id id) const -> std::shared_ptr<Channel> {
  const std::scoped_lock lock(mutex_);
  const auto channel = channels_.find(id);
  return channel == channels_.end() ? nullptr : channel->second;
}

// A new one if need be, made and dropped without the lock.
auto RedisWatchFeed::channel_to(const redis::NodeHandle& node) -> std::shared_ptr<Channel> {
  const auto find = [&]() -> std::shared_ptr<Channel> {
    for (const auto& [id, channel] : channels_) {
      if (channel->node() == node) return channel;
    }
    return nullptr;
  };
  {
    const std::scoped_lock lock(mutex_);
    if (auto known = find()) return known;
    if (is_stopped_) return nullptr;
  }
  auto made = std::make_shared<Channel>(*this, node);
  {
    const std::scoped_lock lock(mutex_);
    if (auto known = find()) return known;
    if (is_stopped_) return nullptr;
    made->id = next_id_++;
    channels_.emplace(made->id, made);
  }
  if (made->tracking().start_unconnected()) return made;
  const std::scoped_lock lock(mutex_);
  channels_.erase(made->id);
  return nullptr;
}

auto RedisWatchFeed::id_of(const redis::NodeHandle& node) -> Id {
  const auto channel = channel_to(node);
  return channel ? channel->id : WatchTable::nobody;
}

WatchTable::NodeId RedisWatchFeed::node_of(std::string_view key) {
  const auto node = topology_->known_node_of(key);
  return node ? id_of(node) : WatchTable::nobody;
}

void RedisWatchFeed::wake(Id node) noexcept {
  if (const auto channel = channel_at(node)) return channel->tracking().wake();
  // It is gone, or never was.
  core_.change([&](WatchTable& table) { table.abandon(node); });
  core_.wake_keeper();
}

// Those hashes to the nodes that have them now, as far as that is known.
void RedisWatchFeed::rehome(Id from, const std::vector<std::string>& keys) {
  std::vector<Id> woken;
  for (const auto& key : keys) {
    const auto to = node_of(key);
    if (to == from) continue;
    core_.change([&](WatchTable& table) { table.assign(key, to); });
    if (std::ranges::find(woken, to) == woken.end()) woken.push_back(to);
  }
  for (const auto id : woken) wake(id);
}

std::optional<WatchTable::Time> RedisWatchFeed::tend(WatchTable::Time now) {
  if (!topology_->is_sharded()) return std::nullopt;
  if (now >= looks_for_idle_at_) {
    drop_idle();
    looks_for_idle_at_ = now + idle_pause;
  }
  const bool has_lost = core_.change([](WatchTable& table) { return table.has_hashes(WatchTable::nobody); });
  if (!has_lost) return looks_for_idle_at_;
  if (!is_searching_.exchange(true)) begin_search();
  return now + search_pause;
}

// It may ask servers, which the keeper must not wait for.
void RedisWatchFeed::begin_search() {
  const auto core = core_.weak_from_this();
  const bool is_begun = BackgroundTasks::start([core, this] {
    // The core owns this.
    if (const auto kept = core.lock()) search();
  });
  if (!is_begun) is_searching_ = false;
}

void RedisWatchFeed::search() {
  const OnExit done([this] { is_searching_ = false; });
  const auto keys = core_.change([](WatchTable& table) { return table.keys_of(WatchTable::nobody); });
  if (keys.empty()) return;
  const auto deadline = redis::Deadline::after(connect_timeout_);
  if (const auto node = topology_->known_node_of(keys.front())) topology_->suspect(node, deadline);
  if (!topology_->node_of(keys.front(), deadline)) return;
  rehome(WatchTable::nobody, keys);
}

// Nodes without watched hashes. To stop one may take as long as it dials.
void RedisWatchFeed::drop_idle() {
  std::vector<Id> idle;
  std::vector<std::shared_ptr<Channel>> dropped;
  {
    std::vector<Id> known;
    {
      const std::scoped_lock lock(mutex_);
      for (const auto& [id, channel] : channels_) known.push_back(id);
    }
    core_.change([&](WatchTable& table) { std::erase_if(known, [&](Id id) { return table.has_hashes(id); }); });
    idle = std::move(known);
  }
  {
    const std::scoped_lock lock(mutex_);
    for (const auto id : idle) {
      const auto channel = channels_.find(id);
      if (channel == channels_.end() || std::ranges::find(idle_, id) == idle_.end()) continue;
      dropped.push_back(std::move(channel->second));
      channels_.erase(channel);
    }
  }
  idle_ = std::move(idle);
  if (dropped.empty()) return;
  BackgroundTasks::start([kept = core_.shared_from_this(), dropped]() mutable {
    for (const auto& channel : dropped) {
      channel->tracking().stop();
      // What it told while it stopped.
      kept->change([&](WatchTable& table) { table.abandon(channel->id); });
    }
    dropped.clear();
  });
}

void RedisWatchFeed::stop() {
  {
    const std::scoped_lock lock(mutex_);
    is_stopped_ = true;
  }
  topology_->close();
  // One after the other, since a list of them would need memory.
  auto channel = first_channel_from(0);
  while (channel) {
    channel->tracking().stop();
    channel = first_channel_from(channel->id + 1);
  }
}

auto RedisWatchFeed::first_channel_from(Id id) const -> std::shared_ptr<Channel> {
  const std::scoped_lock lock(mutex_);
  std::shared_ptr<Channel> first;
  for (const auto& [at, channel] : channels_) {
    if (at >= id && (!first || at < first->id)) first = channel;
  }
  return first;
}

void RedisWatchFeed::add_to(SessionWatchStatistics& statistics) const {
  statistics.connections = connections_;
  statistics.connection_losses = losses_;
}

Result<void> RedisWatchFeed::replace_credentials(UserCredentials credentials) {
  credentials_->replace(std::move(credentials));
  return {};
}

}}  // namespace obol::v0
