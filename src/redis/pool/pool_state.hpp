// Who gets a connection, who waits, who opens one, and which connections are closed: the decisions of a pool.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/intrusive_queue.hpp"
#include "obol/error.hpp"
#include "obol/pool_options.hpp"
#include "obol/store_statistics.hpp"
#include "redis/core/batch_limit.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/dial_policy.hpp"
#include "redis/pool/concurrency_limit.hpp"
#include "redis/pool/pooled_connection.hpp"
#include "redis/pool/waiter.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Not thread-safe: the pool calls it under its lock. It opens and closes nothing, waits for nothing and reads no
/// clock. Waiters are served first-come first-served. Nothing here throws.
class PoolState {
 public:
  using TimePoint = Deadline::Time::time_point;
  using Connections = IntrusiveQueue<PooledConnection>;

  /// What a waiter does next.
  struct Step {
    enum class Kind { done, dial, sleep } kind;
    TimePoint until{};   ///< With `sleep`, unless it is woken before.
    bool spins = false;  ///< With `sleep`: looks for replies first.
  };

  /// A connection that came back: to be used by the batch on it, to be closed, or neither if it is idle now or went to
  /// a waiter.
  struct Returned {
    std::unique_ptr<PooledConnection> loaded{};
    std::unique_ptr<PooledConnection> surplus{};
    std::string_view reason{};  ///< With `surplus`.
  };

  /// An outage is waited out for `patience`.
  PoolState(const PoolOptions& options, Deadline::Time::duration patience);

  /// `started` or `holding` becomes `queued`; `finished` if too many wait already.
  void enter(Waiter& waiter);

  /// Of a waiter that was told something, or whose time has come. `queued` becomes `holding`, `dialing` or `finished`
  /// if it can.
  Step next_step(Waiter& waiter, TimePoint now, Wakes& wakes);

  /// What the attempt of a `dialing` waiter has come to. It becomes `holding`, `finished`, or the first in the queue
  /// again, also if no other connection can be opened while those there are may serve it.
  void take_dialed(Waiter& waiter, Result<std::unique_ptr<PooledConnection>> opened, TimePoint now, Wakes& wakes);

  /// Takes in a connection on loan that was opened elsewhere.
  void adopt(PooledConnection& pooled);

  Returned give_back(std::unique_ptr<PooledConnection> pooled, TimePoint now, Wakes& wakes);

  /// The first of its batch that still waits becomes the leader and owns it; the leader is returned. Null if nobody
  /// waits.
  Waiter* promote(std::unique_ptr<PooledConnection>& pooled, Wakes& wakes);

  /// The call's deadline has passed; its batch may have been sent.
  static void leave_batch(Waiter& waiter);

  /// The leader's deadline has passed before its batch was sent: the other calls of the batch wait again.
  void give_up_unsent(Waiter& leader, TimePoint now, Wakes& wakes);

  /// The calls of a batch are the first in the queue again. `self` is the waiter of this thread.
  void put_back(Batch& batch, Waiter* self, TimePoint now, Wakes& wakes);

  /// The server of this connection is in doubt: all of its generation are to be closed. Returns the idle ones; those in
  /// use follow when they come back. If a later connection exists already, the doubt says nothing about that.
  Connections suspect(const PooledConnection& pooled);

  /// The connection is closed.
  void remove(std::unique_ptr<PooledConnection> pooled, TimePoint now, Wakes& wakes);

  /// Those that wait, and all later ones, fail with `closed`. Returns the idle connections.
  Connections close(Wakes& wakes);

  /// A batch had to be given up after so many replies of so many bytes.
  void note_unfinished(const Batch& batch) {
    batch_limit_.note(batch.flight.answered() + 1, batch.flight.reply_bytes());
  }

  /// That wait for a connection or a reply.
  std::size_t callers() const { return queue_.size() + in_flight_; }

  PoolStatistics statistics() const;

  /// In a forked child: nothing waits, and no connection is the child's.
  void forget_parent();

 private:
  unsigned group_for(const Waiter& waiter);
  bool take_turn(Waiter& waiter, TimePoint now);
  bool load(PooledConnection& pooled, Waiter& first);
  bool lead_or_fail(Waiter& waiter, std::unique_ptr<PooledConnection> pooled);
  bool may_use_another(TimePoint now) const;
  bool may_dial(TimePoint now) const { return slots_ < capacity() && dial_policy_.may_dial(now); }
  bool has_another() const;
  std::size_t capacity() const { return options_.size + options_.max_overflow; }
  std::size_t in_use() const { return slots_ - leased_ - idle_.size(); }
  std::size_t connections() const { return slots_ - (dial_policy_.is_dialing() ? 1 : 0); }
  TimePoint wake_time(const Waiter& waiter, TimePoint now) const;
  Error late() const;
  void wake_first(Wakes& wakes);
  void wake_all(Wakes& wakes);
  void note_batch(const PooledConnection& pooled, TimePoint now);
  void end_use(PooledConnection& pooled, TimePoint now);
  std::string_view why_retired(const PooledConnection& pooled, TimePoint now) const;
  std::unique_ptr<PooledConnection> take_idle(PooledConnection& pooled);
  std::unique_ptr<PooledConnection> take_stale_idle(TimePoint now);
  void put_idle(std::unique_ptr<PooledConnection> pooled) { idle_.push_back(*pooled.release()); }

  const PoolOptions options_;
  Connections idle_;  ///< Its own; the last one used is at the back.
  IntrusiveQueue<Waiter> queue_;
  std::size_t slots_ = 0;  ///< Connections idle, in use or being opened.
  std::size_t leased_ = 0;
  std::size_t in_flight_ = 0;  ///< Calls on connections in use.
  ConcurrencyLimit concurrency_limit_;
  BatchLimit batch_limit_;
  TimePoint progress_at_{};  ///< When a connection last came back.
  unsigned gathering_ = 0;   ///< Group of those that wait behind the first.
  unsigned leading_ = 0;     ///< Group of the last that was first.
  DialPolicy dial_policy_;
  std::uint64_t generation_ = 0;  ///< Connections of an earlier one are not used again.
  bool closed_ = false;
};

}}}  // namespace obol::v0::redis
