// A bounded pool of connections: lent last-in first-out, waiters served first-come first-served.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "fork_registration.hpp"
#include "obol/error.hpp"
#include "obol/redis_options.hpp"
#include "redis/backoff.hpp"
#include "redis/connection.hpp"
#include "redis/deadline.hpp"

namespace obol::inline v0::redis {

/// Thread-safe. Opens connections in the thread that needs one, never while holding its lock. Every lease must be back
/// before the pool is destroyed.
class Pool {
 public:
  using Open = std::function<Result<Connection>(Deadline)>;
  /// Told of each connection that is opened (empty reason) or closed, from the thread that did it, without the lock.
  using Report = std::function<void(const Connection&, std::string_view reason)>;

 private:
  struct Member {
    Connection connection;
    std::uint64_t generation;
    Deadline::Time::time_point retire_at;
    Deadline::Time::time_point idle_since;
  };

 public:
  /// A connection on loan; goes back by itself.
  class Lease {
   public:
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();

    Connection& connection() { return member_->connection; }

    /// Closes the connection instead of returning it; another may be opened in its place.
    void discard(std::string_view reason);

    /// The same where the server is in doubt: all idle connections go with it, and those on loan when they come back.
    void discard_all(std::string_view reason);

   private:
    friend class Pool;
    Lease(Pool& pool, std::unique_ptr<Member> member) : pool_(&pool), member_(std::move(member)) {}
    Pool* pool_;
    std::unique_ptr<Member> member_;
  };

  /// `patience`: for how long an outage is waited out.
  Pool(const PoolOptions& options, std::chrono::milliseconds patience, Open open, Report report);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// A usable connection: an idle one, a new one, or the next that comes back. `pool_timeout` after the checkout
  /// time-out, `closed`, or the error of opening a connection. One thread at a time opens one. Where that fails for a
  /// passing reason, it is tried again, with growing pauses, as long as the deadline allows; once the server has been
  /// away for longer than the patience, or the reason will not pass, callers fail at once, and one of them at a time
  /// goes on trying after each pause.
  Result<Lease> checkout(Deadline deadline);

  /// Takes in a connection that was opened elsewhere; only for the first one.
  Lease adopt(Connection connection);

  /// Threads that wait, and all later checkouts, fail with `closed`; idle connections are closed.
  void close();

 private:
  struct Waiter {
    std::condition_variable changed;
    bool done = false;  ///< Granted a member, or the pool has closed.
    std::unique_ptr<Member> member;
  };

  /// Since a connection could last not be opened.
  struct Outage {
    Deadline::Time::time_point since;
    Deadline::Time::time_point next_attempt;
    Backoff backoff;
    Error error;
    bool may_pass = true;
  };
  using Lock = std::unique_lock<std::mutex>;
  using Granted = Result<std::unique_ptr<Member>>;

  /// An idle or returned member, or null: then the caller opens one, for which dialing_ and a slot are its own.
  Granted acquire(Lock& lock, Deadline deadline);
  Granted wait(Lock& lock, Deadline deadline);
  bool may_dial(Deadline::Time::time_point now) const;
  bool is_hopeless(Deadline::Time::time_point now) const;
  Deadline::Time::time_point wake_time(const Waiter& self, Deadline deadline) const;
  Error late() const;
  Result<Lease> dial(Deadline deadline);
  Lease enlist(Connection connection);
  void note_failure(const Error& error);
  void wake_first();
  void give_back(std::unique_ptr<Member> member);
  void give_up(std::unique_ptr<Member> member, std::string_view reason);
  void give_up_all(std::unique_ptr<Member> member, std::string_view reason);
  void retire(std::unique_ptr<Member> member, std::string_view reason);
  void free_slot();
  std::unique_ptr<Member> take_stale_idle(Deadline::Time::time_point now);
  std::string_view why_unusable(const Member& member) const;
  void forget_parent();

  const PoolOptions options_;
  const std::chrono::milliseconds patience_;
  const Open open_;
  const Report report_;
  std::mutex mutex_;
  std::deque<std::unique_ptr<Member>> idle_;  ///< The last one used stands at the back.
  std::deque<Waiter*> waiters_;
  std::vector<int> descriptors_;  ///< Of every open connection, idle or lent.
  std::size_t slots_ = 0;         ///< Connections idle, lent or being opened.
  bool dialing_ = false;
  std::optional<Outage> outage_;
  std::uint64_t generation_ = 0;  ///< Members of an earlier one are not lent again.
  bool closed_ = false;
  ForkRegistration fork_registration_;
};

}  // namespace obol::inline v0::redis
