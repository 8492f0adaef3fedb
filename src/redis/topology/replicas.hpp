// The replicas of one primary that may be read from.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/fork_registration.hpp"
#include "obol/server_address.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/refresh_gate.hpp"
#include "redis/core/replica_table.hpp"
#include "redis/pool/pool.hpp"

namespace obol { inline namespace v0 { namespace redis {

class Node;

/// The primary is asked for them when one is wanted, by one caller at a time and not more often than every `pause`.
/// Thread-safe.
class Replicas {
 public:
  static constexpr std::chrono::milliseconds pause{1000};

  using MakeNode = std::function<std::shared_ptr<Node>(const ServerAddress&)>;

  Replicas(std::chrono::seconds max_lag, MakeNode make_node);

  /// One of them; null where none is known to be up to date, or the primary has not answered for `max_lag`.
  std::shared_ptr<Node> pick(Pool& primary, Deadline deadline);

  /// True if pick() would ask the primary now; if not, it does the same as known().
  bool must_ask();

  /// One of those that are known, like pick(), but asks nobody.
  std::shared_ptr<Node> known();

  /// It did not answer: not again before the primary has been asked anew.
  void avoid(const std::shared_ptr<Node>& replica);

  /// Those that are known now.
  std::vector<std::shared_ptr<Node>> nodes();

  void close();

 private:
  struct Member {
    ServerAddress address;
    std::shared_ptr<Node> node;
  };

  bool enter();
  void ask(Pool& primary, Deadline deadline);
  void adopt(const std::vector<ServerAddress>& addresses, Deadline::Time::time_point asked_at);

  const std::chrono::seconds max_lag_;
  const MakeNode make_node_;
  std::mutex mutex_;
  ReplicaTable<Member> table_;
  RefreshGate gate_{pause};
  bool closed_ = false;
  ForkRegistration fork_registration_;
};

}}}  // namespace obol::v0::redis
