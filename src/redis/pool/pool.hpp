// A bounded pool of connections: a caller that finds one free uses it alone; those that wait share the next.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>

#include "base/fork_registration.hpp"
#include "obol/error.hpp"
#include "obol/pool_options.hpp"
#include "obol/store_statistics.hpp"
#include "obol/timeouts.hpp"
#include "redis/connection/connection.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/retry_budget.hpp"
#include "redis/core/yield_guard.hpp"
#include "redis/net/wake_signal.hpp"
#include "redis/pool/handoff_slot.hpp"
#include "redis/pool/lease.hpp"
#include "redis/pool/pool_state.hpp"
#include "redis/pool/pooled_connection.hpp"
#include "redis/pool/waiter.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"
#include "redis/protocol/server_identity.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Thread-safe. A thread that needs a connection opens it itself, never under the pool's lock. A connection that comes
/// back is used at once for all the calls that wait: their commands are sent together, and the first of their callers,
/// the leader, reads the replies for all, unless another thread that waits does so before. Every call must have
/// returned and every lease be back before the pool is destroyed.
///
/// A call that there is no memory for throws std::bad_alloc; no other call notices, whichever thread it happened in. So
/// nothing that needs memory is done between two steps that belong together: queues are made of their elements, errors
/// for other callers are copied by copy_of, and what a thread cannot do for another is left to that one.
class Pool {
 public:
  using Open = std::function<Result<Connection>(Deadline)>;
  /// Told of each connection that is opened (empty reason) or closed, from the thread that did it, without the lock.
  /// Must not throw.
  using Report = std::function<void(const Connection&, std::string_view reason)>;

  /// An outage is waited out for as long as `timeouts.total`. The budget must outlive the pool.
  Pool(const PoolOptions& options, const Timeouts& timeouts, RetryBudget& budget, Open open, Report report);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Sends the command over the connection that is next and gives its reply, an error reply included unless another
  /// connection may do better. A caller whose deadline passes takes nothing from those that share its connection.
  /// `pool_timeout` after the checkout time-out or if too many wait already; `closed`; else the error of opening a
  /// connection or of using it. With a reply, `answered_by` is set to the identity of its connection.
  std::expected<Reply, CallFailure> call(const Command& command, Deadline deadline, Sharing sharing = Sharing::allowed,
                                         ServerIdentity* answered_by = nullptr);

  /// A connection for the caller alone: an idle one, a new one, or the next that comes back. One thread at a time opens
  /// one. If that fails for a passing reason, it is tried again, with growing pauses, as long as the deadline allows;
  /// once the server has been away for longer than `timeouts.total`, or the reason will not pass, callers fail at once,
  /// and one of them at a time goes on trying after each pause.
  Result<Lease> checkout(Deadline deadline);

  /// Takes in a connection that was opened elsewhere; only for the first one.
  Lease adopt(Connection connection);

  /// Threads that wait for a connection, and all later ones, fail with `closed`; idle connections are closed.
  void close();

  /// Of the connections and calls there are now.
  PoolStatistics statistics();

 private:
  friend class Lease;

  // A turn: from the queue to a connection or to the outcome.
  void take_turn(Waiter& self);
  PoolState::Step next_step(Waiter& self);
  void await_turn(Waiter& self, PoolState::Step step);
  void dial(Waiter& self);
  Result<std::unique_ptr<PooledConnection>> open_pooled(Deadline deadline) const;
  std::unique_ptr<PooledConnection> make_pooled(Connection connection) const;

  // The batch that a waiter leads: sent, looked for, read, handed out.
  bool leads(Waiter& self);
  void lead(Waiter& self);
  Result<void> send(PooledConnection& pooled, Deadline deadline, Deadline::Time::time_point now) const;
  static Result<bool> await_bytes(PooledConnection& pooled, Deadline deadline);
  static Result<bool> poll_for_bytes(PooledConnection& pooled, Deadline deadline);
  template <class Receive>
  static Result<bool> take_in(PooledConnection& pooled, Receive receive);
  void finish(std::unique_ptr<PooledConnection> pooled, const Waiter* self);
  void hand_out(PooledConnection& pooled, const Waiter* self, Wakes& wakes);

  // A connection that came back.
  void give_back(std::unique_ptr<PooledConnection> pooled);
  void pass_on(std::unique_ptr<PooledConnection> pooled);
  void promote(std::unique_ptr<PooledConnection> pooled);

  // Replies of a batch that another thread leads.
  bool take_back(Waiter& self);
  void spin(const Waiter& self);
  bool yield();
  void look_for_another(const Waiter& self);

  // What goes wrong.
  void step_down(Waiter& self);
  void requeue(Waiter& self, std::string_view reason);
  void end_batch(std::unique_ptr<PooledConnection> pooled, Waiter* self, const Error& error);
  void end_one_call(std::unique_ptr<PooledConnection> pooled, Waiter* self, const Error& error);
  void fail_all(std::unique_ptr<PooledConnection> pooled, const Waiter* self, const Error& error);

  // Connections that are closed. The first two are for those that may hold a command which has not left this machine.
  void abandon(std::unique_ptr<PooledConnection> pooled, std::string_view reason);
  void abandon_all(std::unique_ptr<PooledConnection> pooled, std::string_view reason);
  void retire(std::unique_ptr<PooledConnection> pooled, std::string_view reason);
  void retire_all(std::unique_ptr<PooledConnection> pooled, std::string_view reason);
  void retire_idle(PoolState::Connections idle, std::string_view reason);
  void forget_parent();

  const PoolOptions options_;
  const Timeouts timeouts_;
  RetryBudget& budget_;
  const Open open_;
  const Report report_;
  std::mutex mutex_;
  PoolState state_;
  ParkingLot parking_lot_;
  HandoffSlot<Waiter> handoff_slot_{parking_lot_};  ///< A leader whose replies any thread may look for.
  YieldGuard yield_guard_;                          ///< Changed under the lock.
  ForkRegistration fork_registration_;
};

}}}  // namespace obol::v0::redis
