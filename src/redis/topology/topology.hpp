// Which server a key's commands go to: one primary, wherever it is, or a cluster's.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "obol/error.hpp"
#include "redis/core/deadline.hpp"
#include "redis/protocol/reply_error.hpp"
#include "redis/topology/node.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Thread-safe. What takes no deadline asks nobody.
class Topology {
 public:
  Topology() = default;
  Topology(const Topology&) = delete;
  Topology& operator=(const Topology&) = delete;
  virtual ~Topology() = default;

  /// Learns where the primaries are. Must have succeeded once before anything else is called.
  virtual Result<void> start(Deadline deadline) = 0;

  /// The primary of a key. `unavailable` where none is known, `closed`.
  virtual Result<NodeHandle> node_of(std::string_view key, Deadline deadline) = 0;

  /// The same as far as it is known: null if node_of() would ask, and for a cluster once it is closed.
  virtual NodeHandle known_node_of(std::string_view key) = 0;

  /// True where keys may be on different nodes.
  virtual bool is_sharded() const = 0;

  /// Every primary that holds keys.
  virtual std::vector<NodeHandle> nodes() = 0;

  /// `key`, with a number behind it where that is needed for a key that the node holds.
  virtual std::string key_at(const Node& node, std::string_view key) = 0;

  /// The node that `from` sends to; null where redirections are not followed, or nobody knows that node. join(), then
  /// learn_after(), and what is known then.
  virtual NodeHandle follow(const Redirect& redirect, const NodeHandle& from, Deadline deadline) = 0;

  /// The node that `from` sends to, as far as that can be told from the redirection; null if it cannot. After MOVED the
  /// slot is that node's from now on.
  virtual NodeHandle join(const Redirect& redirect, const NodeHandle& from) = 0;

  /// Learns where the primaries are if the redirection, which `from` sent, says that what is known is outdated.
  virtual void learn_after(const Redirect& redirect, const NodeHandle& from, Deadline deadline) = 0;

  /// The node does not serve as it should: perhaps another has taken its place.
  virtual void suspect(const NodeHandle& node, Deadline deadline) = 0;

  /// False if learn_after() and suspect() would ask nobody now: somebody does so already, or it is not long ago, or
  /// there is nothing to learn.
  virtual bool can_learn() = 0;

  /// Calls that wait for a connection, and all later ones, fail with `closed`.
  virtual void close() = 0;
};

}}}  // namespace obol::v0::redis
