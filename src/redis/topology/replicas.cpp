// Asks a primary for its replicas and keeps a pool for each.
#include "redis/topology/replicas.hpp"

#include <algorithm>
#include <optional>
#include <random>
#include <ranges>
#include <utility>

#include "base/decimal.hpp"
#include "base/on_exit.hpp"
#include "base/random_generator.hpp"
#include "redis/topology/each_node.hpp"
#include "redis/topology/node.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

/// The value behind `name=` in "ip=127.0.0.1,port=6380,state=online,offset=42,lag=1".
std::string_view value_in(std::string_view facts, std::string_view name) {
  for (const auto part : facts | std::views::split(',')) {
    const std::string_view fact(part.begin(), part.end());
    if (fact.starts_with(name) && fact.substr(name.size()).starts_with('=')) return fact.substr(name.size() + 1);
  }
  return {};
}

std::optional<ServerAddress> replica_in(std::string_view line, std::chrono::seconds max_lag) {
  const auto colon = line.find(':');
  if (!line.starts_with("slave") || colon == std::string_view::npos) return std::nullopt;
  if (!decimal<unsigned>(line.substr(5, colon - 5))) return std::nullopt;
  const auto facts = line.substr(colon + 1);
  const auto host = value_in(facts, "ip");
  const auto port = decimal<std::uint16_t>(value_in(facts, "port"));
  const auto lag = decimal<std::chrono::seconds::rep>(value_in(facts, "lag"));
  const bool is_near = lag && *lag >= 0 && *lag <= max_lag.count();
  if (value_in(facts, "state") != "online" || host.empty() || !port || *port == 0 || !is_near) return std::nullopt;
  return ServerAddress{.host = std::string(host), .port = *port};
}

}  // namespace

std::vector<ServerAddress> replicas_in(std::string_view info, std::chrono::seconds max_lag) {
  std::vector<ServerAddress> replicas;
  for (const auto part : info | std::views::split(std::string_view("\r\n"))) {
    if (auto replica = replica_in({part.begin(), part.end()}, max_lag)) replicas.push_back(std::move(*replica));
  }
  return replicas;
}

Replicas::Replicas(std::chrono::seconds max_lag, MakeNode make_node)
    : max_lag_(max_lag), make_node_(std::move(make_node)), fork_registration_(mutex_, [this] { is_asking_ = false; }) {}

NodeHandle Replicas::pick(Pool& primary, Deadline deadline) {
  if (is_due()) ask(primary, deadline);
  const std::scoped_lock lock(mutex_);
  if (closed_ || Deadline::Time::now() >= known_until_) return nullptr;
  std::vector<const Member*> usable;
  for (const auto& member : members_) {
    if (!member.is_avoided) usable.push_back(&member);
  }
  if (usable.empty()) return nullptr;
  return usable[std::uniform_int_distribution<std::size_t>(0, usable.size() - 1)(random_generator())]->node;
}

void Replicas::avoid(const NodeHandle& replica) {
  const std::scoped_lock lock(mutex_);
  const auto member = std::ranges::find(members_, replica, &Member::node);
  if (member != members_.end()) member->is_avoided = true;
}

std::vector<NodeHandle> Replicas::nodes() {
  const std::scoped_lock lock(mutex_);
  std::vector<NodeHandle> nodes;
  nodes.reserve(members_.size());
  for (const auto& member : members_) nodes.push_back(member.node);
  return nodes;
}

void Replicas::close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  for_each_node(mutex_, members_, [](Node& node) { node.close(); });
}

bool Replicas::is_due() {
  const std::scoped_lock lock(mutex_);
  const auto now = Deadline::Time::now();
  if (is_asking_ || closed_ || now < ask_again_at_) return false;
  is_asking_ = true;
  ask_again_at_ = now + pause;
  return true;
}

// Where the primary does not answer, what is known serves on for a while.
void Replicas::ask(Pool& primary, Deadline deadline) {
  const OnExit done([this] {
    const std::scoped_lock lock(mutex_);
    is_asking_ = false;
  });
  const auto asked_at = Deadline::Time::now();
  const auto reply = primary.call(Command{"INFO", "replication"}, deadline);
  const bool is_told = reply && reply->kind == Reply::Kind::text;
  if (!is_told) return;
  adopt(replicas_in(reply->text, max_lag_));
  const std::scoped_lock lock(mutex_);
  known_until_ = asked_at + max_lag_;
}

void Replicas::adopt(const std::vector<ServerAddress>& addresses) {
  std::vector<Member> before;
  {
    const std::scoped_lock lock(mutex_);
    before = members_;
  }
  std::vector<Member> adopted;
  for (const auto& address : addresses) {
    const auto known = std::ranges::find(before, address, &Member::address);
    adopted.push_back({.address = address, .node = known != before.end() ? known->node : make_node_(address)});
  }
  auto joined = adopted;
  {
    const std::scoped_lock lock(mutex_);
    std::swap(members_, joined);
  }
  for (const auto& member : before) {
    if (std::ranges::find(adopted, member.node, &Member::node) == adopted.end()) member.node->leave();
  }
}

}}}  // namespace obol::v0::redis
