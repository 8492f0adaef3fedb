// Finds a slot's primary, follows redirections, and learns the slot map anew.
#include "redis/topology/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/on_exit.hpp"
#include "base/random_generator.hpp"
#include "redis/protocol/key_slot.hpp"
#include "redis/topology/each_node.hpp"
#include "values/closed_error.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr std::uint16_t nobody = std::numeric_limits<std::uint16_t>::max();

/// A cluster has a thousand nodes at most; what sends us to more addresses is none.
constexpr std::size_t most_members = 2000;

template <class Members, class Projection, class Value>
bool has(const Members& members, Projection projection, const Value& value) {
  return std::ranges::find(members, value, projection) != members.end();
}

}  // namespace

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
      slots_(slot_count, nobody),
      fork_registration_(mutex_, [this] { is_learning_ = false; }) {}

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

NodeHandle Cluster::find(std::uint16_t slot) {
  const std::scoped_lock lock(mutex_);
  const auto index = slots_[slot];
  return index == nobody || closed_ ? nullptr : members_[index].node;
}

std::vector<NodeHandle> Cluster::nodes() {
  std::vector<NodeHandle> nodes;
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (std::ranges::find(slots_, static_cast<Index>(i)) != slots_.end()) nodes.push_back(members_[i].node);
  }
  return nodes;
}

std::string Cluster::key_at(const Node& node, std::string_view key) {
  const std::scoped_lock lock(mutex_);
  return numbered_key(key, [&](std::string_view numbered) {
    const auto index = slots_[key_slot(numbered)];
    return index != nobody && members_[index].node.get() == &node;
  });
}

NodeHandle Cluster::follow(const Redirect& redirect, const NodeHandle& from, Deadline deadline) {
  auto address = redirect.to;
  if (address.host.empty()) {
    const auto known = members();
    const auto member = std::ranges::find(known, from, &Member::node);
    if (member == known.end()) return nullptr;
    address.host = member->address.host;
  }
  // A node that prefers to be called by a name, and has none.
  const bool is_known = address.host != "?";
  const bool is_for_good = redirect.kind == Redirect::Kind::moved;
  auto node = is_known ? join(address, is_for_good ? std::optional(redirect.slot) : std::nullopt) : nullptr;
  if (!is_for_good) return node;
  learn_if_due({.first = from}, deadline);
  return find(redirect.slot);
}

void Cluster::suspect(const NodeHandle& node, Deadline deadline) { learn_if_due({.last = node.get()}, deadline); }

void Cluster::close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  for_each_node(mutex_, members_, [](Node& node) { node.close(); });
}

void Cluster::learn_if_due(const Order& order, Deadline deadline) {
  if (deadline.passed()) return;
  {
    const std::scoped_lock lock(mutex_);
    const auto now = Deadline::Time::now();
    if (is_learning_ || closed_ || now < learn_again_at_) return;
    is_learning_ = true;
    learn_again_at_ = now + least_pause;
  }
  const OnExit done([this] {
    const std::scoped_lock lock(mutex_);
    is_learning_ = false;
  });
  // If nobody can be asked, what is known serves on.
  [[maybe_unused]] const auto learnt = learn(order, deadline);
}

// Each candidate that is left may take an equal share of the time.
Result<void> Cluster::learn(const Order& order, Deadline deadline) {
  const auto ends = deadline.within(settings_.timeouts.connect);
  if (order.first) {
    if (const auto ranges = ask_over_pool(order.first, ends)) {
      adopt(*ranges);
      return {};
    }
  }
  const auto all = candidates(order);
  std::optional<Error> last_error;
  for (std::size_t i = 0; i < all.size(); ++i) {
    // The pool of a node that does not answer would make us wait.
    auto ranges = ask_for_slots(*all[i].dialer, all[i].address, ends.share(all.size() - i));
    if (ranges) {
      adopt(*ranges);
      return {};
    }
    if (!last_error || (is_transient(*last_error) && !is_transient(ranges.error())))
      last_error = std::move(ranges.error());
  }
  last_error->message = fmt::format("no node returned the slot map: {}", last_error->message);
  return std::unexpected(std::move(*last_error));
}

Result<std::vector<SlotRange>> Cluster::ask_over_pool(const NodeHandle& node, Deadline deadline) {
  const auto known = members();
  const auto member = std::ranges::find(known, node, &Member::node);
  if (member == known.end()) return std::unexpected(Error{ErrorCode::unavailable, "the node has left the cluster"});
  const auto reply = node->pool().call(slots_question(), deadline);
  if (!reply) return std::unexpected(reply.error().error);
  return slots_answer(*reply, member->address);
}

// In another order each time, so that many processes do not all ask the same node.
Cluster::Members Cluster::candidates(const Order& order) {
  auto all = members();
  for (const auto& seed : seeds_) {
    if (!has(all, &Member::address, seed.address)) all.push_back(seed);
  }
  std::ranges::shuffle(all, random_generator());
  std::ranges::partition(all, [&](const Member& member) { return member.node.get() != order.last; });
  return all;
}

void Cluster::adopt(const std::vector<SlotRange>& ranges) {
  const auto before = members();
  Members adopted;
  std::vector<Index> slots(slot_count, nobody);
  for (const auto& range : ranges) {
    auto member = std::ranges::find(adopted, range.primary, &Member::address);
    if (member == adopted.end()) {
      const auto known = std::ranges::find(before, range.primary, &Member::address);
      adopted.push_back(known != before.end() ? *known : make_member(range.primary));
      member = std::prev(adopted.end());
    }
    std::fill(slots.begin() + range.first, slots.begin() + range.last + 1,
              static_cast<Index>(member - adopted.begin()));
  }
  const auto now = adopted;
  bool closed = false;
  {
    const std::scoped_lock lock(mutex_);
    std::swap(members_, adopted);
    slots_ = std::move(slots);
    closed = closed_;
  }
  // From here on nothing needs memory: whoever waits at a node that has left must be told.
  for (const auto& member : adopted) {
    if (!has(now, &Member::node, member.node)) member.node->leave();
  }
  if (closed) close();
}

Cluster::Members Cluster::members() {
  const std::scoped_lock lock(mutex_);
  return members_;
}

Cluster::Member Cluster::make_member(const ServerAddress& address) {
  auto options = options_;
  options.cluster = {};
  auto dialer = Dialer::to_announced(
      options, max_reply_bytes_,
      {.credentials = credentials_, .announced = AnnouncedAddress{.address = address, .by = Announcer::cluster}});
  auto node = std::make_shared<Node>(settings_, dialer, [this, address](Deadline deadline) {
    const auto known = members();
    const auto member = std::ranges::find(known, address, &Member::address);
    learn_if_due({.last = member == known.end() ? nullptr : member->node.get()}, deadline);
  });
  return {.address = address, .dialer = std::move(dialer), .node = std::move(node)};
}

// The member with that address, a new one if need be; from now on it has the slot, if one is given.
NodeHandle Cluster::join(const ServerAddress& address, std::optional<std::uint16_t> slot) {
  const auto known = members();
  std::optional<Member> made;
  if (!has(known, &Member::address, address)) {
    if (known.size() >= most_members) return nullptr;
    made = make_member(address);
  }
  const std::scoped_lock lock(mutex_);
  auto member = std::ranges::find(members_, address, &Member::address);
  if (member == members_.end()) {
    if (!made || closed_) return nullptr;
    member = members_.insert(members_.end(), *made);
  }
  if (slot) slots_[*slot] = static_cast<Index>(member - members_.begin());
  return member->node;
}

}}}  // namespace obol::v0::redis
