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
#include "obol/redis_options.hpp"
#include "obol/store_statistics.hpp"
#include "redis/connection/connection.hpp"
#include "redis/connection/connection_source.hpp"
#include "redis/core/backoff.hpp"
#include "redis/core/batch_limit.hpp"
#include "redis/core/busy_wait.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/retry_budget.hpp"
#include "redis/net/notice.hpp"
#include "redis/pool/lanes.hpp"
#include "redis/pool/offer.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/marker.hpp"
#include "redis/protocol/reply.hpp"
#include "redis/protocol/server_identity.hpp"

namespace obol::inline v0::redis {

/// Thread-safe. Callers are served first-come first-served. Whoever needs a connection opens it in its own thread,
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
  struct Caller;

  /// Calls that share one send. `callers` belongs to the lock, the rest to the leader or whoever took its offer.
  struct Batch {
    std::string commands;
    std::vector<Caller*> callers;  ///< In the order of their commands; null: it gave up.
    std::vector<Reply> replies;
    std::optional<Marker> marker;      ///< Where there are several.
    std::optional<Deadline> deadline;  ///< Of the answers, once it was sent.
    Deadline::Time::time_point sent_at;
    Deadline::Time::duration round_trip{};
    std::size_t reply_bytes = 0;
    std::size_t looks = 0;         ///< Of others than the leader.
    bool may_repeat = false;       ///< With `doubt`.
    std::optional<Error> doubt{};  ///< Why the connection must not be used again once all have their answers.
    std::optional<Error> fault{};  ///< What another thread met that looked for answers.

    void clear();
    void give_memory_back();
    Caller* next_to_answer() const;
  };

  struct Member {
    Connection connection;
    std::uint64_t generation;
    Deadline::Time::time_point retire_at;
    Deadline::Time::time_point idle_since;
    BusyWait busy_wait;
    bool is_leased = false;
    Batch batch{};
    QueueLinks<Member> links{};
  };

  /// A thread that waits for a connection or for an answer.
  struct Caller {
    std::string_view command;  ///< Empty: it wants a connection for itself.
    Deadline deadline;
    Deadline waiting_ends;  ///< For a connection.
    Sharing sharing = Sharing::allowed;
    unsigned group = 0;
    Notice notice{};
    Batch* batch = nullptr;            ///< That carries its command.
    std::unique_ptr<Member> member{};  ///< With `granted`.
    bool is_offered = false;           ///< With `granted`: it has to be taken back.
    std::atomic<bool> is_back{false};  ///< It was taken, or could not be offered, and is the caller's own again.
    bool is_to_dial = false;           ///< Then dialing_ and a slot are its own.
    bool dials_beside_others = false;  ///< With `is_to_dial`: there were other connections when it began.
    std::optional<Error> dial_error{};
    std::optional<Reply> reply{};  ///< With `answered`: this or the failure.
    ServerIdentity answered_by{};  ///< With `reply`.
    std::optional<Failure> failure{};
    QueueLinks<Caller> links{};
  };

 public:
  /// A connection on loan. Goes back by itself, or is closed where an exception ends the loan: replies may be under
  /// way.
  class Lease {
   public:
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();

    Connection& connection() { return member_->connection; }

    /// Closes the connection instead of returning it; another may be opened in its place.
    void discard(std::string_view reason);

    /// The same if the server is in doubt: all idle connections go with it, and those in use when they come back.
    void discard_all(std::string_view reason);

    /// One of the two, depending on what the error says of the server.
    void discard_for(const Error& error);

   private:
    friend class Pool;
    Lease(Pool& pool, std::unique_ptr<Member> member) : pool_(&pool), member_(std::move(member)) {}
    Pool* pool_;
    std::unique_ptr<Member> member_;
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
    bool may_pass = true;
  };
  using Lock = std::unique_lock<std::mutex>;

  /// Callers that were told something under the lock and are woken without it.
  class Wakes {
   public:
    explicit Wakes(Dormitory& dormitory) : dormitory_(dormitory) {}
    Wakes(const Wakes&) = delete;
    Wakes& operator=(const Wakes&) = delete;
    ~Wakes() {
      if (groups_ != 0) dormitory_.wake(groups_);
    }

    void post(Caller& caller, Notice::Word word) {
      groups_ |= Dormitory::Groups{1} << caller.group;
      caller.notice.post(word);
    }

   private:
    Dormitory& dormitory_;
    Dormitory::Groups groups_ = 0;
  };

  // Who gets a connection (pool.cpp).
  void take_turn(Caller& self);
  void await_turn(Lock& lock, Caller& self);
  bool look_again(Caller& self);
  static void fail(Caller& self, Error error);
  Result<std::unique_ptr<Member>> open_member(Deadline deadline) const;
  bool take_dialed(Caller& self, Result<std::unique_ptr<Member>> opened);
  bool may_use_another(Deadline::Time::time_point now) const;
  bool may_dial(Deadline::Time::time_point now) const;
  bool has_another() const;
  std::size_t in_use() const;
  bool is_without_connections() const;
  bool is_hopeless(Deadline::Time::time_point now) const;
  Deadline::Time::time_point wake_time(const Caller& self) const;
  Error late() const;
  std::unique_ptr<Member> make_member(Connection connection) const;
  void enlist(Member& member);
  void note_failure(const Error& error);
  void wake_first();
  void nudge_all();
  void nudge(Caller& caller);
  unsigned group_for(const Caller& caller);
  void give_back(std::unique_ptr<Member> member);
  std::string_view why_retired(const Member& member, Deadline::Time::time_point now) const;
  void retire(std::unique_ptr<Member> member, std::string_view reason);
  void retire_all(std::unique_ptr<Member> member, std::string_view reason);
  void end_use(Member& member, Deadline::Time::time_point now);
  std::unique_ptr<Member> take_idle(Member& member);
  void put_idle(std::unique_ptr<Member> member);
  void retire_idle(IntrusiveQueue<Member> idle, std::string_view reason);
  std::unique_ptr<Member> take_stale_idle(Deadline::Time::time_point now);
  std::string_view why_unusable(const Member& member) const;
  void forget_parent();

  // What becomes of the calls on a connection (pool_batch.cpp).
  bool load(Member& member, Caller& first);
  bool fill(Batch& batch, Caller& first, std::size_t most_calls) const;
  void lead(Caller& self);
  Result<void> send(Member& member, Deadline deadline) const;
  static Result<bool> take_in(Member& member, Deadline deadline);
  static Result<bool> collect(Member& member);
  void finish(std::unique_ptr<Member> member, const Caller* self);
  void hand_out(Member& member, const Caller* self, Wakes& wakes);
  static void tell_outcome(Caller& caller, const Caller* self, Wakes& wakes);
  void pass_on(std::unique_ptr<Member> member);
  void promote(std::unique_ptr<Member> member);
  void step_down(Caller& self);
  static void leave_batch(Caller& self);
  void end_batch(std::unique_ptr<Member> member, Caller* self, const Error& error);
  void fail_all(std::unique_ptr<Member> member, const Caller* self, const Error& error);
  static void blame(Batch& batch, const Caller* self, const Error& error, Wakes& wakes);
  void requeue(Caller& self, std::string_view reason);
  void put_back(Batch& batch, Caller* self, Wakes& wakes);
  void go_on_waiting(Caller& self);

  // Looking for answers before sleeping for them (pool_look.cpp).
  bool leads(Caller& self);
  bool take_back(Caller& self);
  bool look(Caller& self);
  void linger(const Caller& self);
  void look_for_another(const Caller& self);

  const PoolOptions options_;
  const Timeouts timeouts_;
  RetryBudget& budget_;
  const Open open_;
  const Report report_;
  std::mutex mutex_;
  IntrusiveQueue<Member> idle_;  ///< Its own; the last one used stands at the back.
  IntrusiveQueue<Caller> queue_;
  std::size_t slots_ = 0;  ///< Connections idle, in use or being opened.
  std::size_t leased_ = 0;
  std::size_t flying_ = 0;  ///< Calls on connections in use.
  Lanes lanes_;
  BatchLimit batch_limit_;
  Deadline::Time::time_point progress_at_{};  ///< When a batch last came back or set out.
  Dormitory dormitory_;
  Offer<Caller> offer_{dormitory_};  ///< A leader whose answers any thread may look for.
  unsigned gathering_ = 0;           ///< Group of those that wait behind the first.
  unsigned leading_ = 0;             ///< Group of the last that stood first.
  bool dialing_ = false;
  std::optional<Outage> outage_;
  std::uint64_t generation_ = 0;  ///< Members of an earlier one are not used again.
  bool closed_ = false;
  ForkRegistration fork_registration_;
};

}  // namespace obol::inline v0::redis
