// The topology of one primary: a server, or the one that sentinels name.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "redis/topology/topology.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// All is known from the beginning: a source that follows the primary does so at each new connection.
class SinglePrimary final : public Topology {
 public:
  SinglePrimary(const Node::Settings& settings, std::shared_ptr<ConnectionSource> source)
      : node_(settings, std::move(source)) {}

  Result<void> start(Deadline) override { return {}; }
  Result<NodeHandle> node_of(std::string_view, Deadline) override { return handle(); }
  NodeHandle known_node_of(std::string_view) override { return handle(); }
  bool is_sharded() const override { return false; }
  std::vector<NodeHandle> nodes() override { return {handle()}; }
  std::string key_at(const Node&, std::string_view key) override { return std::string(key); }
  NodeHandle follow(const Redirect&, const NodeHandle&, Deadline) override { return nullptr; }
  NodeHandle join(const Redirect&, const NodeHandle&) override { return nullptr; }
  void learn_after(const Redirect&, const NodeHandle&, Deadline) override {}
  void suspect(const NodeHandle&, Deadline) override {}
  bool can_learn() override { return false; }
  void close() override { node_.close(); }

 private:
  NodeHandle handle() { return {NodeHandle(), &node_}; }

  Node node_;
};

}}}  // namespace obol::v0::redis
