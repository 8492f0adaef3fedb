// Asks a primary for its replicas and keeps a pool for each.
#include "redis/topology/replicas.hpp"

#include <algorithm>
#include <utility>

#include "base/on_exit.hpp"
#include "base/random_generator.hpp"
#include "redis/protocol/replication_info.hpp"
#include "redis/topology/each_node.hpp"
#include "redis/topology/node.hpp"

namespace obol { inline namespace v0 { namespace redis {

Replicas::Replicas(std::chrono::seconds max_lag, MakeNode make_node)
    : max_lag_(max_lag),
      make_node_(std::move(make_node)),
      table_(max_lag),
      fork_registration_(mutex_, [this] { gate_.leave(); }) {}

NodeHandle Replicas::pick(Pool& primary, Deadline deadline) {
  if (enter()) ask(primary, deadline.share(ReplicaTable<Member>::parts));
  return known();
}

NodeHandle Replicas::known() {
  const std::scoped_lock lock(mutex_);
  const auto* replica = closed_ ? nullptr : table_.pick(Deadline::Time::now(), random_generator());
  return replica == nullptr ? nullptr : replica->node;
}

void Replicas::avoid(const NodeHandle& replica) {
  const std::scoped_lock lock(mutex_);
  const auto member = std::ranges::find(table_.members(), replica, &Member::node);
  if (member != table_.members().end()) table_.avoid(member->address);
}

std::vector<NodeHandle> Replicas::nodes() {
  const std::scoped_lock lock(mutex_);
  std::vector<NodeHandle> nodes;
  nodes.reserve(table_.members().size());
  for (const auto& member : table_.members()) nodes.push_back(member.node);
  return nodes;
}

void Replicas::close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  for_each_node(mutex_, table_.members(), [](Node& node) { node.close(); });
}

bool Replicas::must_ask() {
  const std::scoped_lock lock(mutex_);
  return !closed_ && gate_.is_open(Deadline::Time::now());
}

// Whoever enters calls ask().
bool Replicas::enter() {
  const std::scoped_lock lock(mutex_);
  return !closed_ && gate_.enter(Deadline::Time::now());
}

// If the primary does not answer, what is known serves on for a while.
void Replicas::ask(Pool& primary, Deadline deadline) {
  const OnExit done([this] {
    const std::scoped_lock lock(mutex_);
    gate_.leave();
  });
  const auto asked_at = Deadline::Time::now();
  const auto reply = primary.call(replicas_question(), deadline);
  const bool is_told = reply && reply->kind == Reply::Kind::text;
  if (is_told) adopt(replicas_in(reply->text, max_lag_), asked_at);
}

void Replicas::adopt(const std::vector<ServerAddress>& addresses, Deadline::Time::time_point asked_at) {
  const auto known = [this] {
    const std::scoped_lock lock(mutex_);
    return table_.members();
  }();
  const auto learnt = members_for(addresses, known, [this](const ServerAddress& address) {
    return Member{.address = address, .node = make_node_(address)};
  });
  const auto changes = [&] {
    const std::scoped_lock lock(mutex_);
    return table_.learn(learnt, asked_at);
  }();
  for (const auto& member : changes.left) member.node->leave();
}

}}}  // namespace obol::v0::redis
