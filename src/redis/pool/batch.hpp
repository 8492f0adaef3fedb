// Calls that share one send: which of those that wait, and what each caller is told.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/intrusive_queue.hpp"
#include "obol/error.hpp"
#include "redis/connection/connection.hpp"
#include "redis/core/batch_limit.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/flight.hpp"
#include "redis/core/retry_budget.hpp"
#include "redis/protocol/server_identity.hpp"

namespace obol { inline namespace v0 { namespace redis {

class Waiter;
class Wakes;

/// `waiters` belongs to the pool's lock, the rest to the leader or to whoever took its offer.
struct Batch {
  void clear();

  /// Takes the command of `first` and of as many behind it in the queue as may share a send, at most `most_calls`;
  /// nobody leaves the queue. False if there is no memory for that; then the batch is empty.
  bool fill(const IntrusiveQueue<Waiter>& queue, Waiter& first, const BatchLimit& limit, std::size_t most_calls);

  /// Takes the replies among what the connection has received. True once all are there and are known to belong to their
  /// commands.
  Result<bool> collect(Connection& connection);

  /// Gives each waiter its reply. A reply that says that the server cannot be used as it was sets `failure` and is told
  /// as `unavailable`. `self` is the waiter of this thread, which is not woken.
  void hand_out(ServerIdentity answered_by, const Waiter* self, RetryBudget& budget, Wakes& wakes);

  /// The connection is lost: fails all its calls.
  void fail(const Error& error, const Waiter* self, RetryBudget& budget, Wakes& wakes);

  /// Fails the call whose reply was being read, or has it sent alone: if memory was short for several calls, or in
  /// another thread than the call's own, it may be enough for the call alone in its own.
  void blame(const Error& error, const Waiter* self, Wakes& wakes);

  /// The waiter's reply will be dropped.
  void leave(Waiter& waiter);

  /// Null if nobody waits for the replies any more.
  Waiter* first_waiter() const;

  /// BatchLimit expects less; if replies suddenly are larger, this ends the batch.
  static constexpr std::size_t most_held = 16 * BatchLimit::most_reply_bytes;

  Flight flight{most_held};
  std::vector<Waiter*> waiters;      ///< In the order of their commands; null: it gave up.
  std::optional<Deadline> deadline;  ///< Of the replies, once it was sent.
  Deadline::Time::time_point sent_at;
  Deadline::Time::duration round_trip{};
  std::size_t looks = 0;           ///< Of other threads than the leader.
  bool may_repeat = false;         ///< With `failure`.
  std::optional<Error> failure{};  ///< Why the connection must not be used again once all have their replies.
  std::optional<Error> fault{};    ///< What another thread met that looked for replies.
};

}}}  // namespace obol::v0::redis
