// Calls that share a connection: loading a batch, leading it, and handing the connection on.
#include <algorithm>
#include <ranges>
#include <utility>

#include "redis/net/socket.hpp"
#include "redis/pool/pool.hpp"
#include "redis/protocol/reply_error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

/// What a socket takes in without the server reading it, and for how long it is given the chance.
constexpr std::size_t largest_send_ahead = 65'536;
constexpr std::chrono::milliseconds longest_send_ahead{1};

/// What a connection keeps of the memory for commands.
constexpr std::size_t most_kept = 65'536;

/// Of one batch. BatchLimit expects less; where replies suddenly are larger, this ends it.
constexpr std::size_t most_held = 16 * BatchLimit::most_reply_bytes;

Error late_answer() {
  return error_from(ErrorCode::timeout, [] { return Error{ErrorCode::timeout, "the server did not answer in time"}; });
}

std::size_t bytes_of(const Reply& reply) {
  auto bytes = reply.text.size();
  for (const auto& element : reply.elements) bytes += sizeof(Reply) + bytes_of(element);
  return bytes;
}

}  // namespace

void Pool::Batch::clear() {
  commands.clear();
  waiters.clear();
  replies.clear();
  marker.reset();
  deadline.reset();
  round_trip = {};
  reply_bytes = 0;
  looks = 0;
  may_repeat = false;
  failure.reset();
  fault.reset();
}

// Once the replies are handed out: an idle connection holds none that nobody took, and no large buffer.
void Pool::Batch::give_memory_back() {
  replies.clear();
  commands.clear();
  if (commands.capacity() > most_kept) commands.shrink_to_fit();
}

// Whose reply would be the next; null if that waiter has given up, or all replies are there.
Pool::Waiter* Pool::Batch::next_to_answer() const {
  return replies.size() < waiters.size() ? waiters[replies.size()] : nullptr;
}

std::expected<Reply, Pool::Failure> Pool::call(const Command& command, Deadline deadline, Sharing sharing,
                                               ServerIdentity* answered_by) {
  Waiter self{.command = command.bytes(),
              .deadline = deadline,
              .waiting_ends = deadline.within(options_.checkout_timeout),
              .sharing = sharing};
  take_turn(self);
  while (leads(self)) lead(self);
  if (self.reply) {
    if (answered_by != nullptr) *answered_by = self.answered_by;
    return std::move(*self.reply);
  }
  if (is_out_of_memory(self.failure->error)) throw std::bad_alloc();
  return std::unexpected(std::move(*self.failure));
}

// Under the lock: the connection becomes that of `first`, which leaves the queue, and carries the calls behind it.
// False if there is no memory for that; then nothing has changed.
bool Pool::load(PooledConnection& pooled, Waiter& first) {
  auto& batch = pooled.batch;
  batch.clear();
  pooled.is_leased = first.command.empty();
  if (pooled.is_leased) {
    if (queue_.contains(first)) queue_.remove(first);
    ++leased_;
    return true;
  }
  if (!fill(batch, first, BatchLimit::most_calls) && !fill(batch, first, 1)) return false;
  for (Waiter* const waiter : batch.waiters) {
    if (queue_.contains(*waiter)) queue_.remove(*waiter);
    waiter->batch = &batch;
  }
  in_flight_ += batch.waiters.size();
  gathering_ = (gathering_ + 1) % ParkingLot::shared_groups;
  return true;
}

bool Pool::fill(Batch& batch, Waiter& first, std::size_t most_calls) const {
  const auto shares = [](const Waiter& waiter) {
    return !waiter.command.empty() && waiter.sharing == Sharing::allowed;
  };
  const auto fits = [&](const Waiter& waiter) {
    const auto calls = batch.waiters.size();
    return calls < most_calls && batch_limit_.admits(calls, batch.commands.size(), waiter.command.size());
  };
  const auto add = [&batch](Waiter& waiter) {
    batch.commands.append(waiter.command);
    batch.waiters.push_back(&waiter);
  };
  try {
    Waiter* next = queue_.contains(first) ? queue_.behind(first) : queue_.front();
    add(first);
    for (; shares(first) && next != nullptr && shares(*next) && fits(*next); next = queue_.behind(*next)) add(*next);
    if (batch.waiters.size() == 1) return true;
    batch.marker = Marker::next();
    batch.commands.append(batch.marker->command().bytes());
    return true;
  } catch (const std::bad_alloc&) {
    batch.clear();
    return false;
  }
}

// Ends with the waiter's outcome, or, if the connection could not be used, with another connection or an outcome.
void Pool::lead(Waiter& self) {
  auto& pooled = *self.pooled;
  auto& batch = pooled.batch;
  if (self.deadline.passed()) return step_down(self);
  if (!batch.deadline) {
    if (const auto reason = why_unusable(pooled); !reason.empty()) return requeue(self, reason);
    if (const auto sent = send(pooled, self.deadline); !sent) {
      return end_batch(std::move(self.pooled), &self, sent.error());
    }
  }
  if (!look(self)) return;
  for (;;) {
    const auto all = take_in(pooled, std::min(self.deadline, *batch.deadline));
    if (all && *all) return finish(std::move(self.pooled), &self);
    if (all) continue;
    if (all.error().code == ErrorCode::timeout && !batch.deadline->passed()) return step_down(self);
    return end_batch(std::move(self.pooled), &self, all.error());
  }
}

Result<void> Pool::send(PooledConnection& pooled, Deadline deadline) const {
  auto& batch = pooled.batch;
  batch.deadline = Deadline::after(timeouts_.command);
  batch.sent_at = Deadline::Time::now();
  return within_memory([&] { return pooled.connection.send(batch.commands, std::min(deadline, *batch.deadline)); });
}

// Waits for bytes; true once all replies are there.
Result<bool> Pool::take_in(PooledConnection& pooled, Deadline deadline) {
  auto& batch = pooled.batch;
  if (batch.fault) return std::unexpected(copy_of(*batch.fault));
  return within_memory([&]() -> Result<bool> {
    const auto received = pooled.connection.receive(deadline);
    if (batch.round_trip.count() == 0) batch.round_trip = Deadline::Time::now() - batch.sent_at;
    if (!received) return std::unexpected(received.error());
    return collect(pooled);
  });
}

Result<bool> Pool::collect(PooledConnection& pooled) {
  auto& batch = pooled.batch;
  const auto expected = batch.waiters.size() + (batch.marker ? 1 : 0);
  while (batch.replies.size() < expected) {
    auto reply = pooled.connection.next_reply();
    if (!reply) return std::unexpected(std::move(reply.error()));
    if (!*reply) return false;
    batch.reply_bytes += bytes_of(**reply);
    if (batch.marker && batch.reply_bytes > most_held) return std::unexpected(out_of_memory());
    batch.replies.push_back(std::move(**reply));
  }
  if (!batch.marker) return true;
  if (auto checked = batch.marker->check(batch.replies.back()); !checked) return std::unexpected(checked.error());
  return true;
}

// The connection goes on before the followers are woken: the server shall not wait for them.
void Pool::finish(std::unique_ptr<PooledConnection> pooled, const Waiter* self) {
  Wakes wakes(parking_lot_);
  hand_out(*pooled, self, wakes);
  if (const auto failure = std::exchange(pooled->batch.failure, std::nullopt)) {
    return retire_all(std::move(pooled), failure->message);
  }
  budget_.earn(pooled->batch.waiters.size());
  pooled->batch.give_memory_back();
  give_back(std::move(pooled));
}

void Pool::hand_out(PooledConnection& pooled, const Waiter* self, Wakes& wakes) {
  auto& batch = pooled.batch;
  Lock lock(mutex_, std::defer_lock);
  if (batch.waiters.size() > 1) lock.lock();
  for (std::size_t i = 0; i < batch.waiters.size(); ++i) {
    auto& reply = batch.replies[i];
    Waiter* const waiter = batch.waiters[i];
    if (reply.is_error() && remedy_for(reply) == Remedy::reconnect) {
      auto error = error_from(ErrorCode::unavailable, [&reply] { return error_of(reply); });
      if (!batch.failure) {
        batch.failure = copy_of(error);
        batch.may_repeat = budget_.spend();
      }
      if (waiter == nullptr) continue;
      waiter->failure.emplace(
          Failure{.error = std::move(error), .came_from_server = true, .may_repeat = batch.may_repeat});
    } else if (waiter != nullptr) {
      waiter->reply = std::move(reply);
      waiter->answered_by = pooled.connection.identity();
    }
    if (waiter != nullptr) tell_outcome(*waiter, self, wakes);
  }
}

// Of a waiter in a batch that is all over, or for this waiter at least.
void Pool::tell_outcome(Waiter& waiter, const Waiter* self, Wakes& wakes) {
  waiter.batch = nullptr;
  if (&waiter != self) wakes.post(waiter, WakeSignal::answered);
}

// The new leader finds its batch sent already: the server works while that thread wakes up.
void Pool::pass_on(std::unique_ptr<PooledConnection> pooled) {
  auto& batch = pooled->batch;
  if (batch.commands.size() <= largest_send_ahead && pooled->connection.is_reusable()) {
    if (auto sent = send(*pooled, Deadline::after(longest_send_ahead)); !sent) {
      return end_batch(std::move(pooled), nullptr, sent.error());
    }
  }
  promote(std::move(pooled));
}

// To the first that still waits; a connection whose answers nobody waits for is of no use.
void Pool::promote(std::unique_ptr<PooledConnection> pooled) {
  {
    Wakes wakes(parking_lot_);
    const std::scoped_lock lock(mutex_);
    auto& batch = pooled->batch;
    const auto next = std::ranges::find_if(batch.waiters, [](const Waiter* waiter) { return waiter != nullptr; });
    if (next != batch.waiters.end()) {
      Waiter& leader = **next;
      leader.pooled = std::move(pooled);
      const bool is_sent = batch.deadline.has_value();
      leader.is_offered = is_sent;
      wakes.post(leader, WakeSignal::granted);
      // Only now, since whoever takes it may post the outcome. A leader that is offered waits for that to happen.
      if (is_sent) handoff_slot_.make(leader);
      return;
    }
  }
  retire_all(std::move(pooled), late_answer().message);
}

void Pool::step_down(Waiter& self) {
  auto pooled = std::move(self.pooled);
  {
    const std::scoped_lock lock(mutex_);
    leave_batch(self);
  }
  promote(std::move(pooled));
}

// Under the lock. The answer to its command will be dropped.
void Pool::leave_batch(Waiter& self) {
  *std::ranges::find(self.batch->waiters, &self) = nullptr;
  self.batch = nullptr;
  self.failure.emplace(Failure{.error = late_answer(), .came_from_server = true});
}

// The connection can be used no longer. `self`: the batch's leader; null if it has none yet. If the error is of one
// call, that is the call whose reply was being read. The others stand in the queue again, since none may suffer for
// another.
void Pool::end_batch(std::unique_ptr<PooledConnection> pooled, Waiter* self, const Error& error) {
  const bool is_behind_all = pooled->batch.replies.size() >= pooled->batch.waiters.size();
  const bool is_of_all = is_behind_all && !is_out_of_memory(error);
  if (is_of_all || !is_of_one_call(error)) return fail_all(std::move(pooled), self, error);
  {
    Wakes wakes(parking_lot_);
    const std::scoped_lock lock(mutex_);
    auto& batch = pooled->batch;
    batch_limit_.note(batch.replies.size() + 1, batch.reply_bytes);
    blame(batch, self, error, wakes);
    put_back(batch, self, wakes);
  }
  reset_on_close(pooled->connection.descriptor());
  retire(std::move(pooled), error.message);
  if (self != nullptr && !self->failure) go_on_waiting(*self);
}

// Under the lock. If memory was short for several calls, or in another thread than the call's own, it may be enough for
// the call alone in its own.
void Pool::blame(Batch& batch, const Waiter* self, const Error& error, Wakes& wakes) {
  Waiter* const waiter = batch.next_to_answer();
  if (waiter == nullptr) return;
  const bool is_its_own = batch.waiters.size() == 1 && waiter == self && !batch.fault;
  if (is_out_of_memory(error) && !is_its_own) {
    waiter->sharing = Sharing::alone;
    return;
  }
  batch.waiters[batch.replies.size()] = nullptr;
  waiter->failure.emplace(Failure{.error = copy_of(error), .came_from_server = true});
  tell_outcome(*waiter, self, wakes);
}

// The server, or the way to it, is in doubt: so are the answers to all calls on this connection.
void Pool::fail_all(std::unique_ptr<PooledConnection> pooled, const Waiter* self, const Error& error) {
  const bool may_repeat = is_transient(error) && budget_.spend();
  {
    Wakes wakes(parking_lot_);
    const std::scoped_lock lock(mutex_);
    for (Waiter* const waiter : pooled->batch.waiters) {
      if (waiter == nullptr) continue;
      waiter->failure.emplace(Failure{.error = copy_of(error), .came_from_server = true, .may_repeat = may_repeat});
      tell_outcome(*waiter, self, wakes);
    }
  }
  reset_on_close(pooled->connection.descriptor());
  retire_all(std::move(pooled), error.message);
}

// A connection that broke while it was idle: nothing was sent.
void Pool::requeue(Waiter& self, std::string_view reason) {
  auto pooled = std::move(self.pooled);
  {
    Wakes wakes(parking_lot_);
    const std::scoped_lock lock(mutex_);
    put_back(pooled->batch, &self, wakes);
  }
  retire(std::move(pooled), reason);
  go_on_waiting(self);
}

// Under the lock: the calls of a batch go back to where they stood, in front of those that wait.
void Pool::put_back(Batch& batch, Waiter* self, Wakes& wakes) {
  if (self != nullptr) self->signal.clear();
  for (Waiter* const waiter : batch.waiters | std::views::reverse) {
    if (waiter == nullptr) continue;
    waiter->batch = nullptr;
    waiter->waiting_ends = waiter->deadline.within(options_.checkout_timeout);
    queue_.push_front(*waiter);
    if (waiter != self) wakes.post(*waiter, WakeSignal::look);
  }
}

// It stands in the queue again, unless it has been given a connection meanwhile.
void Pool::go_on_waiting(Waiter& self) {
  Lock lock(mutex_);
  await_turn(lock, self);
}

}}}  // namespace obol::v0::redis
