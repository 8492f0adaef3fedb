// The topology of a Redis Cluster or Valkey Cluster: which primary serves which slot, learnt from the nodes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fork_registration.hpp"
#include "obol/connection_options.hpp"
#include "redis/connection/dialer.hpp"
#include "redis/protocol/cluster_slots.hpp"
#include "redis/topology/topology.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// The options of a connection to a seed.
ConnectionOptions options_of_seed(ConnectionOptions options, const ServerAddress& address);

/// What one node of a cluster, primary or replica, says of the slots. Over a connection of its own.
Result<std::vector<SlotRange>> ask_for_slots(Dialer& node, const ServerAddress& address, Deadline deadline);

/// The map is learnt anew after a redirection or where a node does not serve: by one caller at a time, and not more
/// often than every `least_pause`. Nodes that are no primaries any more leave.
class Cluster final : public Topology {
 public:
  static constexpr std::chrono::milliseconds least_pause{100};

  Cluster(ConnectionOptions options, std::size_t max_reply_bytes, std::shared_ptr<CredentialsSource> credentials,
          Node::Settings settings);

  Result<void> start(Deadline deadline) override;
  Result<NodeHandle> node_of(std::string_view key, Deadline deadline) override;
  bool is_sharded() const override { return true; }
  std::vector<NodeHandle> nodes() override;
  std::string key_at(const Node& node, std::string_view key) override;
  NodeHandle follow(const Redirect& redirect, const NodeHandle& from, Deadline deadline) override;
  void suspect(const NodeHandle& node, Deadline deadline) override;
  void close() override;

 private:
  struct Member {
    ServerAddress address;  ///< As it is announced.
    std::shared_ptr<Dialer> dialer;
    NodeHandle node;
  };
  using Members = std::vector<Member>;
  using Index = std::uint16_t;

  /// Who is asked for the map.
  struct Order {
    NodeHandle first{};  ///< Over its pool: it has just answered.
    const Node* last = nullptr;
  };

  NodeHandle find(std::uint16_t slot);
  void learn_if_due(const Order& order, Deadline deadline);
  Result<void> learn(const Order& order, Deadline deadline);
  Result<std::vector<SlotRange>> ask_over_pool(const NodeHandle& node, Deadline deadline);
  Members candidates(const Order& order);
  void adopt(const std::vector<SlotRange>& ranges);
  Members members();
  Member make_member(const ServerAddress& address);
  NodeHandle join(const ServerAddress& address, std::optional<std::uint16_t> slot);

  const ConnectionOptions options_;
  const std::size_t max_reply_bytes_;
  const std::shared_ptr<CredentialsSource> credentials_;
  const Node::Settings settings_;
  const Members seeds_;  ///< Without nodes.
  std::mutex mutex_;
  Members members_;
  std::vector<Index> slots_;  ///< For each its member.
  bool is_learning_ = false;
  Deadline::Time::time_point learn_again_at_{};
  bool closed_ = false;
  ForkRegistration fork_registration_;
};

}}}  // namespace obol::v0::redis
