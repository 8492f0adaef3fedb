// A bounded pool of connections: lent last-in first-out, waiters served first-come first-served.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "fork_registration.hpp"
#include "obol/error.hpp"
#include "obol/redis_options.hpp"
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

   private:
    friend class Pool;
    Lease(Pool& pool, std::unique_ptr<Member> member) : pool_(&pool), member_(std::move(member)) {}
    Pool* pool_;
    std::unique_ptr<Member> member_;
  };

  Pool(const PoolOptions& options, Open open, Report report);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// A usable connection: an idle one, a new one, or the next that comes back. `pool_timeout` after the checkout
  /// time-out, `closed`, or the error of opening a connection.
  Result<Lease> checkout(Deadline deadline);

  /// Threads that wait, and all later checkouts, fail with `closed`; idle connections are closed.
  void close();

 private:
  struct Waiter {
    std::condition_variable granted;
    bool done = false;               ///< Granted, or the pool has closed.
    std::unique_ptr<Member> member;  ///< Null with done: room to open one.
  };
  enum class Turn { open, closed, late };

  Result<Lease> open_one(Deadline deadline);
  Turn wait(std::unique_lock<std::mutex>& lock, Deadline deadline, std::unique_ptr<Member>& member);
  void give_back(std::unique_ptr<Member> member);
  void give_up(std::unique_ptr<Member> member, std::string_view reason);
  void retire(std::unique_ptr<Member> member, std::string_view reason);
  void free_slot();
  bool grant(std::unique_ptr<Member>& member);
  std::unique_ptr<Member> take_stale_idle(Deadline::Time::time_point now);
  std::string_view why_unusable(const Member& member) const;
  void forget_parent();

  const PoolOptions options_;
  const Open open_;
  const Report report_;
  std::mutex mutex_;
  std::deque<std::unique_ptr<Member>> idle_;  ///< The last one used stands at the back.
  std::deque<Waiter*> waiters_;
  std::vector<int> descriptors_;  ///< Of every open connection, idle or lent.
  std::size_t slots_ = 0;         ///< Connections idle, lent or being opened.
  bool closed_ = false;
  ForkRegistration fork_registration_;
};

}  // namespace obol::inline v0::redis
