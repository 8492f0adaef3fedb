// A bounded pool of connections: a caller that finds one free uses it alone; those that wait share the next.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fork_registration.hpp"
#include "base/intrusive_queue.hpp"
#include "obol/error.hpp"
#include "obol/pool_options.hpp"
#include "obol/store_statistics.hpp"
#include "obol/timeouts.hpp"
#include "redis/connection/connection.hpp"
#include "redis/connection/connection_source.hpp"
#include "redis/core/backoff.hpp"
#include "redis/core/batch_limit.hpp"
#include "redis/core/busy_wait.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/retry_budget.hpp"
#include "redis/net/wake_signal.hpp"
#include "redis/pool/concurrency_limit.hpp"
#include "redis/pool/handoff_slot.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/marker.hpp"
#include "redis/protocol/reply.hpp"
#include "redis/protocol/server_identity.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Thread-safe. Waiters are served first-come first-served. Whoever needs a connection opens it in its own thread,
/// never under the pool's lock. A connection that comes back goes on at once with all the calls that wait: they fly out
/// in one send, and the first of their callers, the leader, reads the answers for all, unless another thread that waits
/// comes before it. Every call must have returned and every lease be back before the pool is destroyed.
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

  /// Whether a call may fly out with others.
  enum class Sharing { allowed, alone };

  /// Why a call has no reply.
  struct Failure {
    Error error;
    bool came_from_server = false;  ///< Else the pool had no connection to send it on.
    bool may_repeat = false;        ///< Another attempt can do better, and the retry budget allows it.
  };

 private:
  struct Waiter;

  /// Calls that share one send. `waiters` belongs to the lock, the rest to the leader or whoever took its offer.
  struct Batch {
    std::string commands;
    std::vector<Waiter*> waiters;  ///< In the order of their commands; null: it gave up.
    std::vector<Reply> replies;
    std::optional<Marker> marker;      ///< Where there are several.
    std::optional<Deadline> deadline;  ///< Of the answers, once it was sent.
    Deadline::Time::time_point sent_at;
    Deadline::Time::duration round_trip{};
    std::size_t reply_bytes = 0;
    std::size_t looks = 0;           ///< Of others than the leader.
    bool may_repeat = false;         ///< With `failure`.
    std::optional<Error> failure{};  ///< Why the connection must not be used again once all have their answers.
    std::optional<Error> fault{};    ///< What another thread met that looked for answers.

    void clear();
    void give_memory_back();
    Waiter* next_to_answer() const;
  };

  struct PooledConnection {
    Connection connection;
    std::uint64_t generation;
    Deadline::Time::time_point retire_at;
    Deadline::Time::time_point idle_since;
    BusyWait busy_wait;
    bool is_leased = false;
    Batch batch{};
    QueueLinks<PooledConnection> links{};
  };

  /// A thread that waits for a connection or for an answer.
  struct Waiter {
    std::string_view command;  ///< Empty: it wants a connection for itself.
    Deadline deadline;
    Deadline waiting_ends;  ///< For a connection.
    Sharing sharing = Sharing::allowed;
    unsigned group = 0;
    WakeSignal signal{};
    Batch* batch = nullptr;                      ///< That carries its command.
    std::unique_ptr<PooledConnection> pooled{};  ///< With `granted`.
    bool is_offered = false;                     ///< With `granted`: it has to be taken back.
    std::atomic<bool> is_back{false};  ///< It was taken, or could not be offered, and is the waiter's own again.
    bool is_to_dial = false;           ///< Then dialing_ and a slot are its own.
    bool dials_beside_others = false;  ///< With `is_to_dial`: there were other connections when it began.
    std::optional<Error> dial_error{};
    std::optional<Reply> reply{};  ///< With `answered`: this or the failure.
    ServerIdentity answered_by{};  ///< With `reply`.
    std::optional<Failure> failure{};
    QueueLinks<Waiter> links{};
  };

 public:
  /// A connection on loan. Goes back by itself, or is closed where an exception ends the loan: replies may be under
  /// way.
  class Lease {
   public:
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();

    Connection& connection() { return pooled_->connection; }

    /// Closes the connection instead of returning it; another may be opened in its place.
    void discard(std::string_view reason);

    /// The same if the server is in doubt: all idle connections go with it, and those in use when they come back.
    void discard_all(std::string_view reason);

    /// One of the two, depending on what the error says of the server.
    void discard_for(const Error& error);

   private:
    friend class Pool;
    Lease(Pool& pool, std::unique_ptr<PooledConnection> pooled) : pool_(&pool), pooled_(std::move(pooled)) {}
    Pool* pool_;
    std::unique_ptr<PooledConnection> pooled_;
    int exceptions_ = std::uncaught_exceptions();
  };

  /// An outage is waited out for as long as `timeouts.total`. The budget must outlive the pool.
  Pool(const PoolOptions& options, const Timeouts& timeouts, RetryBudget& budget, Open open, Report report);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Sends the command over the connection that is next and gives its reply, an error reply included unless another
  /// connection may do better. A caller whose deadline passes takes nothing from those that share its connection.
  /// `pool_timeout` after the checkout time-out or where too many wait already; `closed`; else the error of opening a
  /// connection or of using it. With a reply, `answered_by` is set to the identity of its connection.
  std::expected<Reply, Failure> call(const Command& command, Deadline deadline, Sharing sharing = Sharing::allowed,
                                     ServerIdentity* answered_by = nullptr);

  /// A connection for the caller alone: an idle one, a new one, or the next that comes back. One thread at a time opens
  /// one. Where that fails for a passing reason, it is tried again, with growing pauses, as long as the deadline
  /// allows; once the server has been away for longer than `timeouts.total`, or the reason will not pass, callers fail
  /// at once, and one of them at a time goes on trying after each pause.
  Result<Lease> checkout(Deadline deadline);

  /// Takes in a connection that was opened elsewhere; only for the first one.
  Lease adopt(Connection connection);

  /// Threads that wait for a connection, and all later ones, fail with `closed`; idle connections are closed.
  void close();

  /// Of the connections and calls there are now.
  PoolStatistics statistics();

 private:
  /// Since a connection could last not be opened.
  struct Outage {
    Deadline::Time::time_point since;
    Deadline::Time::time_point next_attempt;
    Backoff backoff;
    Error error;
    bool is_transient = true;
  };
  using Lock = std::unique_lock<std::mutex>;

  /// Waiters that were told something under the lock and are woken without it.
  class Wakes {
   public:
    explicit Wakes(ParkingLot& parking_lot) : parking_lot_(parking_lot) {}
    Wakes(const Wakes&) = delete;
    Wakes& operator=(const Wakes&) = delete;
    ~Wakes() {
      if (groups_ != 0) parking_lot_.wake(groups_);
    }

    void post(Waiter& waiter, WakeSignal::Word word) {
      groups_ |= ParkingLot::Groups{1} << waiter.group;
      waiter.signal.post(word);
    }

   private:
    ParkingLot& parking_lot_;
    ParkingLot::Groups groups_ = 0;
  };

  // Who gets a connection (pool.cpp).
  void take_turn(Waiter& self);
  void await_turn(Lock& lock, Waiter& self);
  bool look_again(Waiter& self);
  static void fail(Waiter& self, Error error);
  Result<std::unique_ptr<PooledConnection>> open_pooled(Deadline deadline) const;
  bool take_dialed(Waiter& self, Result<std::unique_ptr<PooledConnection>> opened);
  bool may_use_another(Deadline::Time::time_point now) const;
  bool may_dial(Deadline::Time::time_point now) const;
  bool has_another() const;
  std::size_t in_use() const;
  bool is_without_connections() const;
  bool is_hopeless(Deadline::Time::time_point now) const;
  Deadline::Time::time_point wake_time(const Waiter& self) const;
  Error late() const;
  std::unique_ptr<PooledConnection> make_pooled(Connection connection) const;
  void enlist(PooledConnection& pooled);
  void note_failure(const Error& error);
  void wake_first();
  void nudge_all();
  void nudge(Waiter& waiter);
  unsigned group_for(const Waiter& waiter);
  void give_back(std::unique_ptr<PooledConnection> pooled);
  std::string_view why_retired(const PooledConnection& pooled, Deadline::Time::time_point now) const;
  void retire(std::unique_ptr<PooledConnection> pooled, std::string_view reason);
  void retire_all(std::unique_ptr<PooledConnection> pooled, std::string_view reason);
  void end_use(PooledConnection& pooled, Deadline::Time::time_point now);
  std::unique_ptr<PooledConnection> take_idle(PooledConnection& pooled);
  void put_idle(std::unique_ptr<PooledConnection> pooled);
  void retire_idle(IntrusiveQueue<PooledConnection> idle, std::string_view reason);
  std::unique_ptr<PooledConnection> take_stale_idle(Deadline::Time::time_point now);
  std::string_view why_unusable(const PooledConnection& pooled) const;
  void forget_parent();

  // What becomes of the calls on a connection (pool_batch.cpp).
  bool load(PooledConnection& pooled, Waiter& first);
  bool fill(Batch& batch, Waiter& first, std::size_t most_calls) const;
  void lead(Waiter& self);
  Result<void> send(PooledConnection& pooled, Deadline deadline) const;
  static Result<bool> take_in(PooledConnection& pooled, Deadline deadline);
  static Result<bool> collect(PooledConnection& pooled);
  void finish(std::unique_ptr<PooledConnection> pooled, const Waiter* self);
  void hand_out(PooledConnection& pooled, const Waiter* self, Wakes& wakes);
  static void tell_outcome(Waiter& waiter, const Waiter* self, Wakes& wakes);
  void pass_on(std::unique_ptr<PooledConnection> pooled);
  void promote(std::unique_ptr<PooledConnection> pooled);
  void step_down(Waiter& self);
  static void leave_batch(Waiter& self);
  void end_batch(std::unique_ptr<PooledConnection> pooled, Waiter* self, const Error& error);
  void fail_all(std::unique_ptr<PooledConnection> pooled, const Waiter* self, const Error& error);
  static void blame(Batch& batch, const Waiter* self, const Error& error, Wakes& wakes);
  void requeue(Waiter& self, std::string_view reason);
  void put_back(Batch& batch, Waiter* self, Wakes& wakes);
  void go_on_waiting(Waiter& self);

  // Looking for answers before sleeping for them (pool_look.cpp).
  bool leads(Waiter& self);
  bool take_back(Waiter& self);
  bool look(Waiter& self);
  void spin_then_sleep(const Waiter& self);
  void look_for_another(const Waiter& self);

  const PoolOptions options_;
  const Timeouts timeouts_;
  RetryBudget& budget_;
  const Open open_;
  const Report report_;
  std::mutex mutex_;
  IntrusiveQueue<PooledConnection> idle_;  ///< Its own; the last one used stands at the back.
  IntrusiveQueue<Waiter> queue_;
  std::size_t slots_ = 0;  ///< Connections idle, in use or being opened.
  std::size_t leased_ = 0;
  std::size_t in_flight_ = 0;  ///< Calls on connections in use.
  ConcurrencyLimit concurrency_limit_;
  BatchLimit batch_limit_;
  Deadline::Time::time_point progress_at_{};  ///< When a batch last came back or set out.
  ParkingLot parking_lot_;
  HandoffSlot<Waiter> handoff_slot_{parking_lot_};  ///< A leader whose answers any thread may look for.
  unsigned gathering_ = 0;                          ///< Group of those that wait behind the first.
  unsigned leading_ = 0;                            ///< Group of the last that stood first.
  bool dialing_ = false;
  std::optional<Outage> outage_;
  std::uint64_t generation_ = 0;  ///< Members of an earlier one are not used again.
  bool closed_ = false;
  ForkRegistration fork_registration_;
};

}}}  // namespace obol::v0::redis
