// One server as an engine sees it: its connections and the calls that wait for them.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "base/intrusive_queue.hpp"
#include "redis/core/batch_limit.hpp"
#include "redis/core/dial_policy.hpp"
#include "redis/loop/engine_call.hpp"
#include "redis/loop/errand.hpp"
#include "redis/loop/loop_connection.hpp"
#include "redis/loop/loop_timer.hpp"
#include "redis/topology/node.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Not thread-safe.
class LoopNode {
 public:
  LoopNode(NodeHandle handle, Deadline::Time::duration patience)
      : node(std::move(handle)), dial_policy(patience), timer{.owner = this} {}
  LoopNode(const LoopNode&) = delete;
  LoopNode& operator=(const LoopNode&) = delete;
  ~LoopNode() = default;

  using Connections = std::vector<std::unique_ptr<LoopConnection>>;

  std::size_t connections() const { return (main ? 1U : 0U) + exclusive.size() + draining.size(); }
  bool has_waiting() const { return !shared.empty() || !alone.empty(); }
  bool is_unused() const {
    return !has_waiting() && !loading.is_running && !choosing.is_running && connections() == 0 &&
           !dial_policy.is_dialing();
  }

  LoopConnection* idle_exclusive() const {
    for (const auto& connection : exclusive) {
      if (connection->is_idle()) return connection.get();
    }
    return nullptr;
  }

  /// Takes a connection out, wherever it is.
  std::unique_ptr<LoopConnection> take(const LoopConnection& connection) {
    if (main.get() == &connection) return std::move(main);
    for (auto* const some : {&exclusive, &draining}) {
      for (auto& one : *some) {
        if (one.get() != &connection) continue;
        auto taken = std::move(one);
        std::swap(one, some->back());
        some->pop_back();
        return taken;
      }
    }
    return nullptr;
  }

  const NodeHandle node;
  IntrusiveQueue<EngineCall> shared;  ///< Calls that wait for the main connection,
  IntrusiveQueue<EngineCall> alone;   ///< and for one of their own.
  SharedErrand<EngineCall> loading;   ///< Of the functions.
  SharedErrand<EngineCall> choosing;  ///< Of a replica.
  std::unique_ptr<LoopConnection> main;
  Connections exclusive;  ///< Each with one call at a time.
  Connections draining;   ///< They take no more calls.
  DialPolicy dial_policy;
  /// When the functions were loaded last.
  Deadline::Time::time_point loaded_at = Deadline::Time::time_point::min();
  BatchLimit batch_limit;
  LoopTimer timer;        ///< Of the next attempt to open a connection, or of tidying up.
  bool is_dirty = false;  ///< There is something to send, to open or to close.
};

}}}  // namespace obol::v0::redis
