// Calls that share a connection: loading a batch, leading it, and handing the connection on.
#include <algorithm>
#include <ranges>
#include <utility>

#include "redis/net/socket.hpp"
#include "redis/pool/pool.hpp"
#include "redis/protocol/reply_error.hpp"
#include "values/out_of_memory.hpp"

namespace obol::inline v0::redis {
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
  callers.clear();
  replies.clear();
  marker.reset();
  deadline.reset();
  round_trip = {};
  reply_bytes = 0;
  looks = 0;
  may_repeat = false;
  doubt.reset();
  fault.reset();
}

// Once the replies are handed out: an idle connection holds none that nobody took, and no large buffer.
void Pool::Batch::give_memory_back() {
  replies.clear();
  commands.clear();
  if (commands.capacity() > most_kept) commands.shrink_to_fit();
}

// Whose reply would be the next; null if that caller has given up, or all replies are there.
Pool::Caller* Pool::Batch::next_to_answer() const {
  return replies.size() < callers.size() ? callers[replies.size()] : nullptr;
}

std::expected<Reply, Pool::Failure> Pool::call(const Command& command, Deadline deadline, Sharing sharing,
                                               ServerIdentity* answered_by) {
  Caller self{.command = command.bytes(),
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

// Under the lock: the member becomes that of `first`, which leaves the queue, and carries the calls behind it. False if
// there is no memory for that; then nothing has changed.
bool Pool::load(Member& member, Caller& first) {
  auto& batch = member.batch;
  batch.clear();
  member.is_leased = first.command.empty();
  if (member.is_leased) {
    if (queue_.contains(first)) queue_.remove(first);
    ++leased_;
    return true;
  }
  if (!fill(batch, first, BatchLimit::most_calls) && !fill(batch, first, 1)) return false;
  for (Caller* const caller : batch.callers) {
    if (queue_.contains(*caller)) queue_.remove(*caller);
    caller->batch = &batch;
  }
  flying_ += batch.callers.size();
  gathering_ = (gathering_ + 1) % Dormitory::shared_groups;
  return true;
}

bool Pool::fill(Batch& batch, Caller& first, std::size_t most_calls) const {
  const auto shares = [](const Caller& caller) {
    return !caller.command.empty() && caller.sharing == Sharing::allowed;
  };
  const auto fits = [&](const Caller& caller) {
    const auto calls = batch.callers.size();
    return calls < most_calls && batch_limit_.admits(calls, batch.commands.size(), caller.command.size());
  };
  const auto add = [&batch](Caller& caller) {
    batch.commands.append(caller.command);
    batch.callers.push_back(&caller);
  };
  try {
    Caller* next = queue_.contains(first) ? queue_.behind(first) : queue_.front();
    add(first);
    for (; shares(first) && next != nullptr && shares(*next) && fits(*next); next = queue_.behind(*next)) add(*next);
    if (batch.callers.size() == 1) return true;
    batch.marker = Marker::next();
    batch.commands.append(batch.marker->command().bytes());
    return true;
  } catch (const std::bad_alloc&) {
    batch.clear();
    return false;
  }
}

// Ends with the caller's outcome, or, if the connection could not be used, with another connection or an outcome.
void Pool::lead(Caller& self) {
  auto& member = *self.member;
  auto& batch = member.batch;
  if (self.deadline.passed()) return step_down(self);
  if (!batch.deadline) {
    if (const auto reason = why_unusable(member); !reason.empty()) return requeue(self, reason);
    if (const auto sent = send(member, self.deadline); !sent) {
      return end_batch(std::move(self.member), &self, sent.error());
    }
  }
  if (!look(self)) return;
  for (;;) {
    const auto all = take_in(member, std::min(self.deadline, *batch.deadline));
    if (all && *all) return finish(std::move(self.member), &self);
    if (all) continue;
    if (all.error().code == ErrorCode::timeout && !batch.deadline->passed()) return step_down(self);
    return end_batch(std::move(self.member), &self, all.error());
  }
}

Result<void> Pool::send(Member& member, Deadline deadline) const {
  auto& batch = member.batch;
  batch.deadline = Deadline::after(timeouts_.command);
  batch.sent_at = Deadline::Time::now();
  return within_memory([&] { return member.connection.send(batch.commands, std::min(deadline, *batch.deadline)); });
}

// Waits for bytes; true once all replies are there.
Result<bool> Pool::take_in(Member& member, Deadline deadline) {
  auto& batch = member.batch;
  if (batch.fault) return std::unexpected(copy_of(*batch.fault));
  return within_memory([&]() -> Result<bool> {
    const auto received = member.connection.receive(deadline);
    if (batch.round_trip.count() == 0) batch.round_trip = Deadline::Time::now() - batch.sent_at;
    if (!received) return std::unexpected(received.error());
    return collect(member);
  });
}

Result<bool> Pool::collect(Member& member) {
  auto& batch = member.batch;
  const auto expected = batch.callers.size() + (batch.marker ? 1 : 0);
  while (batch.replies.size() < expected) {
    auto reply = member.connection.next_reply();
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
void Pool::finish(std::unique_ptr<Member> member, const Caller* self) {
  Wakes wakes(dormitory_);
  hand_out(*member, self, wakes);
  if (const auto doubt = std::exchange(member->batch.doubt, std::nullopt)) {
    return retire_all(std::move(member), doubt->message);
  }
  budget_.earn(member->batch.callers.size());
  member->batch.give_memory_back();
  give_back(std::move(member));
}

void Pool::hand_out(Member& member, const Caller* self, Wakes& wakes) {
  auto& batch = member.batch;
  Lock lock(mutex_, std::defer_lock);
  if (batch.callers.size() > 1) lock.lock();
  for (std::size_t i = 0; i < batch.callers.size(); ++i) {
    auto& reply = batch.replies[i];
    Caller* const caller = batch.callers[i];
    if (reply.is_error() && remedy_for(reply) == Remedy::reconnect) {
      auto error = error_from(ErrorCode::unavailable, [&reply] { return error_of(reply); });
      if (!batch.doubt) {
        batch.doubt = copy_of(error);
        batch.may_repeat = budget_.spend();
      }
      if (caller == nullptr) continue;
      caller->failure.emplace(
          Failure{.error = std::move(error), .came_from_server = true, .may_repeat = batch.may_repeat});
    } else if (caller != nullptr) {
      caller->reply = std::move(reply);
      caller->answered_by = member.connection.identity();
    }
    if (caller != nullptr) tell_outcome(*caller, self, wakes);
  }
}

// Of a caller in a batch that is all over, or for this caller at least.
void Pool::tell_outcome(Caller& caller, const Caller* self, Wakes& wakes) {
  caller.batch = nullptr;
  if (&caller != self) wakes.post(caller, Notice::answered);
}

// The new leader finds its batch sent already: the server works while that thread wakes up.
void Pool::pass_on(std::unique_ptr<Member> member) {
  auto& batch = member->batch;
  if (batch.commands.size() <= largest_send_ahead && member->connection.is_reusable()) {
    if (auto sent = send(*member, Deadline::after(longest_send_ahead)); !sent) {
      return end_batch(std::move(member), nullptr, sent.error());
    }
  }
  promote(std::move(member));
}

// To the first that still waits; a connection whose answers nobody waits for is of no use.
void Pool::promote(std::unique_ptr<Member> member) {
  {
    Wakes wakes(dormitory_);
    const std::scoped_lock lock(mutex_);
    auto& batch = member->batch;
    const auto next = std::ranges::find_if(batch.callers, [](const Caller* caller) { return caller != nullptr; });
    if (next != batch.callers.end()) {
      Caller& leader = **next;
      leader.member = std::move(member);
      const bool is_sent = batch.deadline.has_value();
      leader.is_offered = is_sent;
      wakes.post(leader, Notice::granted);
      // Only now, since whoever takes it may post the outcome. A leader that is offered waits for that to happen.
      if (is_sent) offer_.make(leader);
      return;
    }
  }
  retire_all(std::move(member), late_answer().message);
}

void Pool::step_down(Caller& self) {
  auto member = std::move(self.member);
  {
    const std::scoped_lock lock(mutex_);
    leave_batch(self);
  }
  promote(std::move(member));
}

// Under the lock. The answer to its command will be dropped.
void Pool::leave_batch(Caller& self) {
  *std::ranges::find(self.batch->callers, &self) = nullptr;
  self.batch = nullptr;
  self.failure.emplace(Failure{.error = late_answer(), .came_from_server = true});
}

// The connection can be used no longer. `self`: the batch's leader; null if it has none yet. If the error is of one
// call, that is the call whose reply was being read. The others stand in the queue again, since none may suffer for
// another.
void Pool::end_batch(std::unique_ptr<Member> member, Caller* self, const Error& error) {
  const bool is_behind_all = member->batch.replies.size() >= member->batch.callers.size();
  const bool is_of_all = is_behind_all && !is_out_of_memory(error);
  if (is_of_all || !is_of_one_call(error)) return fail_all(std::move(member), self, error);
  {
    Wakes wakes(dormitory_);
    const std::scoped_lock lock(mutex_);
    auto& batch = member->batch;
    batch_limit_.note(batch.replies.size() + 1, batch.reply_bytes);
    blame(batch, self, error, wakes);
    put_back(batch, self, wakes);
  }
  reset_on_close(member->connection.descriptor());
  retire(std::move(member), error.message);
  if (self != nullptr && !self->failure) go_on_waiting(*self);
}

// Under the lock. If memory was short for several calls, or in another thread than the call's own, it may be enough for
// the call alone in its own.
void Pool::blame(Batch& batch, const Caller* self, const Error& error, Wakes& wakes) {
  Caller* const caller = batch.next_to_answer();
  if (caller == nullptr) return;
  const bool is_its_own = batch.callers.size() == 1 && caller == self && !batch.fault;
  if (is_out_of_memory(error) && !is_its_own) {
    caller->sharing = Sharing::alone;
    return;
  }
  batch.callers[batch.replies.size()] = nullptr;
  caller->failure.emplace(Failure{.error = copy_of(error), .came_from_server = true});
  tell_outcome(*caller, self, wakes);
}

// The server, or the way to it, is in doubt: so are the answers to all calls on this connection.
void Pool::fail_all(std::unique_ptr<Member> member, const Caller* self, const Error& error) {
  const bool may_repeat = may_pass(error) && budget_.spend();
  {
    Wakes wakes(dormitory_);
    const std::scoped_lock lock(mutex_);
    for (Caller* const caller : member->batch.callers) {
      if (caller == nullptr) continue;
      caller->failure.emplace(Failure{.error = copy_of(error), .came_from_server = true, .may_repeat = may_repeat});
      tell_outcome(*caller, self, wakes);
    }
  }
  reset_on_close(member->connection.descriptor());
  retire_all(std::move(member), error.message);
}

// A connection that broke while it was idle: nothing was sent.
void Pool::requeue(Caller& self, std::string_view reason) {
  auto member = std::move(self.member);
  {
    Wakes wakes(dormitory_);
    const std::scoped_lock lock(mutex_);
    put_back(member->batch, &self, wakes);
  }
  retire(std::move(member), reason);
  go_on_waiting(self);
}

// Under the lock: the calls of a batch go back to where they stood, in front of those that wait.
void Pool::put_back(Batch& batch, Caller* self, Wakes& wakes) {
  if (self != nullptr) self->notice.clear();
  for (Caller* const caller : batch.callers | std::views::reverse) {
    if (caller == nullptr) continue;
    caller->batch = nullptr;
    caller->waiting_ends = caller->deadline.within(options_.checkout_timeout);
    queue_.push_front(*caller);
    if (caller != self) wakes.post(*caller, Notice::look);
  }
}

// It stands in the queue again, unless it has been given a connection meanwhile.
void Pool::go_on_waiting(Caller& self) {
  Lock lock(mutex_);
  await_turn(lock, self);
}

}  // namespace obol::inline v0::redis
