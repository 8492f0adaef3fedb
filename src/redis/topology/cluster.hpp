// The topology of a Redis Cluster or Valkey Cluster: which primary serves which slot, learnt from the nodes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/fork_registration.hpp"
#include "obol/connection_options.hpp"
#include "redis/connection/dialer.hpp"
#include "redis/core/refresh_gate.hpp"
#include "redis/core/slot_map.hpp"
#include "redis/core/slot_map_candidates.hpp"
#include "redis/core/slot_table.hpp"
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
  NodeHandle known_node_of(std::string_view key) override;
  bool is_sharded() const override { return true; }
  std::vector<NodeHandle> nodes() override;
  std::string key_at(const Node& node, std::string_view key) override;
  NodeHandle follow(const Redirect& redirect, const NodeHandle& from, Deadline deadline) override;
  NodeHandle join(const Redirect& redirect, const NodeHandle& from) override;
  void learn_after(const Redirect& redirect, const NodeHandle& from, Deadline deadline) override;
  void suspect(const NodeHandle& node, Deadline deadline) override;
  bool can_learn() override;
  void close() override;

 private:
  struct Member {
    ServerAddress address;  ///< As it is announced.
    std::shared_ptr<Dialer> dialer;
    NodeHandle node;
  };
  using Members = std::vector<Member>;
  using Candidate = MapCandidate<Member>;

  NodeHandle find(std::uint16_t slot);
  void learn_if_due(const MapDoubt& doubt, Deadline deadline);
  Result<void> learn(const MapDoubt& doubt, Deadline deadline);
  static Result<SlotMap> ask(const Candidate& candidate, Deadline deadline);
  void adopt(SlotMap map);
  Members members();
  ServerAddress address_of(const NodeHandle& node);
  Member make_member(const ServerAddress& address);

  const ConnectionOptions options_;
  const std::size_t max_reply_bytes_;
  const std::shared_ptr<CredentialsSource> credentials_;
  const Node::Settings settings_;
  const Members seeds_;  ///< Without nodes.
  std::mutex mutex_;
  SlotTable<Member> table_;
  RefreshGate gate_{least_pause};
  bool closed_ = false;
  ForkRegistration fork_registration_;
};

}}}  // namespace obol::v0::redis
