// Finds a slot's primary, follows redirections, and learns the slot map anew.
#include "redis/topology/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/on_exit.hpp"
#include "base/random_generator.hpp"
#include "redis/core/sequential_search.hpp"
#include "redis/protocol/key_slot.hpp"
#include "redis/topology/each_node.hpp"
#include "values/closed_error.hpp"

namespace obol { inline namespace v0 { namespace redis {

ConnectionOptions options_of_seed(ConnectionOptions options, const ServerAddress& address) {
  options.host = address.host;
  options.port = address.port;
  options.cluster = {};
  return options;
}

Result<std::vector<SlotRange>> ask_for_slots(Dialer& node, const ServerAddress& address, Deadline deadline) {
  auto connection = node.dial(Peer::node, deadline);
  if (!connection) return std::unexpected(std::move(connection.error()));
  const auto reply = connection->call(slots_question(), deadline);
  auto ranges = reply ? slots_answer(*reply, address) : std::unexpected(reply.error());
  if (!ranges) return std::unexpected(node.at_endpoint(std::move(ranges.error())));
  return ranges;
}

namespace {

Result<std::vector<SlotRange>> ask_over_pool(Node& node, const ServerAddress& address, Deadline deadline) {
  const auto reply = node.pool().call(slots_question(), deadline);
  if (!reply) return std::unexpected(reply.error().error);
  return slots_answer(*reply, address);
}

}  // namespace

Cluster::Cluster(ConnectionOptions options, std::size_t max_reply_bytes, std::shared_ptr<CredentialsSource> credentials,
                 Node::Settings settings)
    : options_(std::move(options)),
      max_reply_bytes_(max_reply_bytes),
      credentials_(std::move(credentials)),
      settings_(std::move(settings)),
      seeds_([this] {
        Members seeds;
        for (const auto& address : options_.cluster.seeds) {
          auto dialer = std::make_shared<Dialer>(options_of_seed(options_, address), max_reply_bytes_,
                                                 Dialer::Place{.credentials = credentials_});
          seeds.push_back({.address = address, .dialer = std::move(dialer), .node = nullptr});
        }
        return seeds;
      }()),
      fork_registration_(mutex_, [this] { gate_.leave(); }) {}

Result<void> Cluster::start(Deadline deadline) { return learn({}, deadline); }

Result<NodeHandle> Cluster::node_of(std::string_view key, Deadline deadline) {
  const auto slot = key_slot(key);
  if (auto node = find(slot)) return node;
  learn_if_due({}, deadline);
  if (auto node = find(slot)) return node;
  const std::scoped_lock lock(mutex_);
  if (closed_) return std::unexpected(closed_error());
  return std::unexpected(
      Error{ErrorCode::unavailable, fmt::format("no primary of the cluster serves slot {}; check its nodes", slot)});
}

NodeHandle Cluster::known_node_of(std::string_view key) { return find(key_slot(key)); }

NodeHandle Cluster::find(std::uint16_t slot) {
  const std::scoped_lock lock(mutex_);
  const auto* member = closed_ ? nullptr : table_.primary_of(slot);
  return member == nullptr ? nullptr : member->node;
}

std::vector<NodeHandle> Cluster::nodes() {
  std::vector<NodeHandle> nodes;
  const std::scoped_lock lock(mutex_);
  for (auto& member : table_.primaries()) nodes.push_back(std::move(member.node));
  return nodes;
}

std::string Cluster::key_at(const Node& node, std::string_view key) {
  const std::scoped_lock lock(mutex_);
  return numbered_key(key, [&](std::string_view numbered) {
    const auto* member = table_.primary_of(key_slot(numbered));
    return member != nullptr && member->node.get() == &node;
  });
}

NodeHandle Cluster::follow(const Redirect& redirect, const NodeHandle& from, Deadline deadline) {
  auto node = join(redirect, from);
  if (redirect.kind == Redirect::Kind::ask) return node;
  learn_after(redirect, from, deadline);
  return find(redirect.slot);
}

void Cluster::learn_after(const Redirect& redirect, const NodeHandle& from, Deadline deadline) {
  if (const auto doubt = doubt_after(redirect, address_of(from))) learn_if_due(*doubt, deadline);
}

void Cluster::suspect(const NodeHandle& node, Deadline deadline) {
  learn_if_due({.kind = MapDoubt::Kind::suspected, .node = address_of(node)}, deadline);
}

bool Cluster::can_learn() {
  const std::scoped_lock lock(mutex_);
  return !closed_ && gate_.is_open(Deadline::Time::now());
}

void Cluster::close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  for_each_node(mutex_, table_.members(), [](Node& node) { node.close(); });
}

void Cluster::learn_if_due(const MapDoubt& doubt, Deadline deadline) {
  if (deadline.passed()) return;
  {
    const std::scoped_lock lock(mutex_);
    if (closed_ || !gate_.enter(Deadline::Time::now())) return;
  }
  const OnExit done([this] {
    const std::scoped_lock lock(mutex_);
    gate_.leave();
  });
  // If nobody can be asked, what is known serves on.
  [[maybe_unused]] const auto learnt = learn(doubt, deadline);
}

Result<void> Cluster::learn(const MapDoubt& doubt, Deadline deadline) {
  const auto ends = deadline.within(settings_.timeouts.connect);
  const auto candidates = map_candidates(doubt, members(), seeds_, random_generator());
  SequentialSearch search(candidates.size(), SequentialSearch::Reports::lasting);
  while (const auto turn = search.next()) {
    auto map = ask(candidates[turn->candidate], ends.share(turn->parts));
    if (map) {
      adopt(std::move(*map));
      return {};
    }
    search.failed(std::move(map.error()));
  }
  return std::unexpected(search.error("no node returned the slot map"));
}

// The pool of a node that does not answer would make us wait.
Result<SlotMap> Cluster::ask(const Candidate& candidate, Deadline deadline) {
  const auto& [address, dialer, node] = candidate.member;
  const auto ranges =
      candidate.has_just_answered ? ask_over_pool(*node, address, deadline) : ask_for_slots(*dialer, address, deadline);
  if (!ranges) return std::unexpected(ranges.error());
  return slot_map_of(*ranges);
}

void Cluster::adopt(SlotMap map) {
  const auto learnt =
      members_for(map.primaries, members(), [this](const ServerAddress& address) { return make_member(address); });
  bool closed = false;
  const auto changes = [&] {
    const std::scoped_lock lock(mutex_);
    closed = closed_;
    return table_.learn(std::move(map), learnt);
  }();
  // From here on nothing needs memory: whoever waits at a node that has left must be told.
  for (const auto& member : changes.left) member.node->leave();
  if (closed) close();
}

Cluster::Members Cluster::members() {
  const std::scoped_lock lock(mutex_);
  return table_.members();
}

// Of a node that has left it is none.
ServerAddress Cluster::address_of(const NodeHandle& node) {
  const std::scoped_lock lock(mutex_);
  const auto member = std::ranges::find(table_.members(), node, &Member::node);
  return member == table_.members().end() ? ServerAddress{} : member->address;
}

Cluster::Member Cluster::make_member(const ServerAddress& address) {
  auto options = options_;
  options.cluster = {};
  auto dialer = Dialer::to_announced(
      options, max_reply_bytes_,
      {.credentials = credentials_, .announced = AnnouncedAddress{.address = address, .by = Announcer::cluster}});
  auto node = std::make_shared<Node>(settings_, dialer, [this, address](Deadline deadline) {
    learn_if_due({.kind = MapDoubt::Kind::suspected, .node = address}, deadline);
  });
  return {.address = address, .dialer = std::move(dialer), .node = std::move(node)};
}

// A new member if need be, made and dropped without the lock.
NodeHandle Cluster::join(const Redirect& redirect, const NodeHandle& from) {
  const auto address = target_of(redirect, address_of(from));
  if (!address) return nullptr;
  {
    const std::scoped_lock lock(mutex_);
    if (const auto* known = member_at(table_.members(), *address)) return table_.follow(redirect, *known)->node;
    if (closed_ || !table_.has_room()) return nullptr;
  }
  const auto made = make_member(*address);
  const std::scoped_lock lock(mutex_);
  const auto* member = closed_ ? nullptr : table_.follow(redirect, made);
  return member == nullptr ? nullptr : member->node;
}

}}}  // namespace obol::v0::redis
