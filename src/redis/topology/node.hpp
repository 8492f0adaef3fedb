// One primary: where its connections come from, its pool, and who loads its functions.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "obol/error.hpp"
#include "obol/pool_options.hpp"
#include "obol/server_address.hpp"
#include "obol/store_statistics.hpp"
#include "obol/timeouts.hpp"
#include "redis/connection/connection.hpp"
#include "redis/connection/connection_source.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/retry_budget.hpp"
#include "redis/core/server_clock.hpp"
#include "redis/pool/pool.hpp"
#include "redis/protocol/function_library.hpp"
#include "redis/protocol/server_version.hpp"
#include "redis/topology/client_events.hpp"
#include "redis/topology/replicas.hpp"
#include "redis/topology/single_flight.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// What all nodes of a client count together, those that have left included.
struct ConnectionCounts {
  std::atomic<std::uint64_t> opened{0};
  std::atomic<std::uint64_t> failed{0};
};

/// Thread-safe. Must outlive every call on it.
class Node {
 public:
  struct Settings {
    PoolOptions pool;
    Timeouts timeouts;
    ClientEvents events;
    RetryBudget& budget;                             ///< Must outlive the node.
    ConnectionCounts& counts;                        ///< The same.
    FunctionForm functions = FunctionForm::library;  ///< At first.
    std::chrono::seconds max_lag{};
    /// Where a replica's connections come from; empty: none is read from.
    std::function<std::shared_ptr<ConnectionSource>(const ServerAddress&)> replica_source{};
  };

  /// `on_unreachable` is called, with the caller's deadline, after each attempt to open a connection that failed for a
  /// passing reason; may be empty.
  Node(const Settings& settings, std::shared_ptr<ConnectionSource> source,
       std::function<void(Deadline)> on_unreachable = {});

  ConnectionSource& source() { return *source_; }
  Pool& pool() { return pool_; }
  SingleFlight& loading() { return loading_; }
  ServerClock& clock() { return clock_; }

  /// How the server has the functions, as far as is known; once it is given scripts, it always is, and the same for
  /// plain ones.
  FunctionForm function_form() const { return function_form_.load(std::memory_order_relaxed); }
  void use_scripts() {
    auto library = FunctionForm::library;
    function_form_.compare_exchange_strong(library, FunctionForm::scripts, std::memory_order_relaxed);
  }
  void use_plain_scripts() { function_form_.store(FunctionForm::plain_scripts, std::memory_order_relaxed); }

  /// Opens a connection within the connect time-out, and counts it if that fails. After a passing failure
  /// `on_unreachable` is called, which may take until the deadline. The caller reports what is opened, and when it is
  /// closed.
  Result<Connection> dial(Deadline deadline);

  /// Counts and tells of a connection to this server that was opened (empty reason) or closed.
  void report(const ServerVersion& server, std::string_view reason) const noexcept;

  /// Those of its pool and its replicas', without what all nodes count together.
  void add_statistics_to(PoolStatistics& sum);

  /// Null where none may be read from.
  Replicas* replicas() { return replicas_.get(); }

  /// It is no primary any more: calls that wait for a connection are sent away.
  void leave();

  /// Calls that wait for a connection, and all later ones, fail with `closed`.
  void close();

  bool has_left() const { return has_left_; }

 private:
  const ClientEvents events_;
  ConnectionCounts& counts_;
  const std::chrono::milliseconds connect_timeout_;
  const std::function<void(Deadline)> on_unreachable_;
  const std::shared_ptr<ConnectionSource> source_;
  std::atomic<bool> has_left_{false};
  std::atomic<FunctionForm> function_form_;
  SingleFlight loading_;
  ServerClock clock_;
  Pool pool_;
  const std::unique_ptr<Replicas> replicas_;
};

/// Keeps a node for the length of a call. Where nodes never leave it owns nothing, so that to copy it costs nothing.
using NodeHandle = std::shared_ptr<Node>;

}}}  // namespace obol::v0::redis
