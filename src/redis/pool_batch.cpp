// Calls that share a connection: loading a batch, leading it, and handing the connection on.
#include <algorithm>
#include <ranges>
#include <utility>

#include "redis/pool.hpp"
#include "redis/reply_error.hpp"
#include "redis/socket.hpp"

namespace obol::inline v0::redis {
namespace {

/// What a socket takes in without the server reading it, and for how long it is given the chance.
constexpr std::size_t largest_send_ahead = 65'536;
constexpr std::chrono::milliseconds longest_send_ahead{1};

Error late_answer() { return {ErrorCode::timeout, "the server did not answer in time"}; }

}  // namespace

void Pool::Batch::clear() {
  commands.clear();
  callers.clear();
  replies.clear();
  marker.reset();
  deadline.reset();
  round_trip = {};
  looks = 0;
  may_repeat = false;
  doubt.clear();
}

std::expected<Reply, Pool::Failure> Pool::call(const Command& command, Deadline deadline, Sharing sharing) {
  Caller self{.command = command.bytes(),
              .deadline = deadline,
              .waiting_ends = deadline.within(options_.checkout_timeout),
              .sharing = sharing};
  take_turn(self);
  while (leads(self)) lead(self);
  if (self.reply) return std::move(*self.reply);
  return std::unexpected(std::move(*self.failure));
}

// Under the lock, with `first` taken out of the queue: the member is its own now, and carries the calls behind it.
void Pool::load(Member& member, Caller& first) {
  auto& batch = member.batch;
  batch.clear();
  member.is_leased = first.command.empty();
  if (member.is_leased) {
    ++leased_;
    return;
  }
  const auto add = [&batch](Caller& caller) {
    batch.commands.append(caller.command);
    batch.callers.push_back(&caller);
    caller.batch = &batch;
  };
  const auto shares = [](const Caller& caller) {
    return !caller.command.empty() && caller.sharing == Sharing::allowed;
  };
  add(first);
  while (shares(first) && !queue_.empty() && shares(*queue_.front()) && batch.callers.size() < largest_batch) {
    add(*queue_.front());
    queue_.pop_front();
  }
  flying_ += batch.callers.size();
  gathering_ = (gathering_ + 1) % Dormitory::shared_groups;
  if (batch.callers.size() == 1) return;
  batch.marker = Marker::next();
  batch.commands.append(batch.marker->command().bytes());
}

// Ends with the caller's outcome, or, where the connection could not be used, with another connection or an outcome.
void Pool::lead(Caller& self) {
  auto& member = *self.member;
  auto& batch = member.batch;
  if (self.deadline.passed()) return step_down(self);
  if (!batch.deadline) {
    if (const auto reason = why_unusable(member); !reason.empty()) return requeue(self, reason);
    if (auto sent = send(member, self.deadline); !sent) {
      return fail_batch(std::move(self.member), &self, sent.error());
    }
  }
  if (!look(self)) return;
  for (;;) {
    const auto all = take_in(member, std::min(self.deadline, *batch.deadline));
    if (all && *all) return finish(std::move(self.member), &self);
    if (all) continue;
    if (all.error().code == ErrorCode::timeout && !batch.deadline->passed()) return step_down(self);
    return fail_batch(std::move(self.member), &self, all.error());
  }
}

Result<void> Pool::send(Member& member, Deadline deadline) const {
  auto& batch = member.batch;
  batch.deadline = Deadline::after(timeouts_.command);
  batch.sent_at = Deadline::Time::now();
  return member.connection.send(batch.commands, std::min(deadline, *batch.deadline));
}

// Waits for bytes; true once all replies are there.
Result<bool> Pool::take_in(Member& member, Deadline deadline) {
  auto& batch = member.batch;
  const auto received = member.connection.receive(deadline);
  if (batch.round_trip.count() == 0) batch.round_trip = Deadline::Time::now() - batch.sent_at;
  if (!received) return std::unexpected(received.error());
  return collect(member);
}

Result<bool> Pool::collect(Member& member) {
  auto& batch = member.batch;
  const auto expected = batch.callers.size() + (batch.marker ? 1 : 0);
  while (batch.replies.size() < expected) {
    auto reply = member.connection.next_reply();
    if (!reply) return std::unexpected(std::move(reply.error()));
    if (!*reply) return false;
    batch.replies.push_back(std::move(**reply));
  }
  if (!batch.marker) return true;
  if (auto checked = batch.marker->check(batch.replies.back()); !checked) return std::unexpected(checked.error());
  return true;
}

// The connection goes on before the followers are woken: the server shall not wait for them.
void Pool::finish(std::unique_ptr<Member> member, const Caller* self) {
  Wakes wakes(dormitory_);
  hand_out(member->batch, self, wakes);
  if (member->batch.doubt.empty()) {
    budget_.earn(member->batch.callers.size());
    give_back(std::move(member));
  } else {
    const auto doubt = std::move(member->batch.doubt);
    retire_all(std::move(member), doubt);
  }
}

void Pool::hand_out(Batch& batch, const Caller* self, Wakes& wakes) {
  Lock lock(mutex_, std::defer_lock);
  if (batch.callers.size() > 1) lock.lock();
  for (std::size_t i = 0; i < batch.callers.size(); ++i) {
    auto& reply = batch.replies[i];
    Caller* const caller = batch.callers[i];
    const bool is_doubtful = reply.is_error() && remedy_for(reply) == Remedy::reconnect;
    if (is_doubtful && batch.doubt.empty()) {
      batch.doubt = error_of(reply).message;
      batch.may_repeat = budget_.spend();
    }
    if (caller == nullptr) continue;
    if (is_doubtful) {
      caller->failure.emplace(
          Failure{.error = error_of(reply), .came_from_server = true, .may_repeat = batch.may_repeat});
    } else {
      caller->reply = std::move(reply);
    }
    caller->batch = nullptr;
    if (caller != self) wakes.post(*caller, Notice::answered);
  }
}

// The new leader finds its batch sent already: the server works while that thread wakes up.
void Pool::pass_on(std::unique_ptr<Member> member) {
  auto& batch = member->batch;
  if (batch.commands.size() <= largest_send_ahead && member->connection.is_reusable()) {
    if (auto sent = send(*member, Deadline::after(longest_send_ahead)); !sent) {
      return fail_batch(std::move(member), nullptr, sent.error());
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
bool Pool::leave_batch(Caller& self) {
  *std::ranges::find(self.batch->callers, &self) = nullptr;
  self.failure.emplace(Failure{.error = late_answer(), .came_from_server = true});
  return true;
}

// `self`: its leader, unless that is another thread.
void Pool::fail_batch(std::unique_ptr<Member> member, const Caller* self, const Error& error) {
  auto& batch = member->batch;
  const bool may_repeat = may_pass(error) && budget_.spend();
  {
    Wakes wakes(dormitory_);
    const std::scoped_lock lock(mutex_);
    for (Caller* const caller : batch.callers) {
      if (caller == nullptr) continue;
      caller->failure.emplace(Failure{.error = error, .came_from_server = true, .may_repeat = may_repeat});
      caller->batch = nullptr;
      if (caller != self) wakes.post(*caller, Notice::answered);
    }
  }
  reset_on_close(member->connection.descriptor());
  retire_all(std::move(member), error.message);
}

// A connection that broke while it was idle: nothing was sent, its callers go back to where they stood.
void Pool::requeue(Caller& self, std::string_view reason) {
  auto member = std::move(self.member);
  const auto& callers = member->batch.callers;
  Lock lock(mutex_);
  self.notice.clear();
  for (Caller* const caller : callers | std::views::reverse) {
    if (caller == nullptr) continue;
    caller->batch = nullptr;
    queue_.push_front(caller);
  }
  lock.unlock();
  retire(std::move(member), reason);
  lock.lock();
  await_turn(lock, self);
}

}  // namespace obol::inline v0::redis
