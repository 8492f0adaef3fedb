#include "redis/pool/pool_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <utility>

#include "redis/net/stream.hpp"
#include "values/closed_error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

using State = Waiter::State;

constexpr std::chrono::milliseconds patience_with_those_in_use{5};

/// Beyond the pool's size.
constexpr std::chrono::milliseconds overflow_idle_limit{1000};

}  // namespace

PoolState::PoolState(const PoolOptions& options, Deadline::Time::duration patience)
    : options_(options), concurrency_limit_(capacity()), dial_policy_(patience) {}

void PoolState::enter(Waiter& waiter) {
  // It may have had a turn already, and a connection that was of no use.
  waiter.signal.clear();
  if (queue_.size() < options_.max_waiting) {
    waiter.group = group_for(waiter);
    waiter.become(State::queued);
    return queue_.push_back(waiter);
  }
  waiter.fail({.error = error_from(ErrorCode::pool_timeout, [this] {
                 return Error{ErrorCode::pool_timeout,
                              fmt::format("{} calls are already waiting; raise pool.max_waiting or look "
                                          "for what keeps the server busy",
                                          queue_.size())};
               })});
}

// The first in the queue will lead the others, and has to be woken before them.
unsigned PoolState::group_for(const Waiter& waiter) {
  if (!queue_.empty() && !waiter.command.empty()) return gathering_;
  leading_ = (leading_ + 1) % ParkingLot::shared_groups;
  return ParkingLot::shared_groups + leading_;
}

PoolState::Step PoolState::next_step(Waiter& waiter, TimePoint now, Wakes& wakes) {
  if (waiter.signal.is_final()) return {.kind = Step::Kind::done};
  waiter.signal.clear();
  if (waiter.state() == State::in_batch && now >= waiter.deadline.time()) leave_batch(waiter);
  if (waiter.state() == State::queued && take_turn(waiter, now)) wake_first(wakes);
  switch (waiter.state()) {
    case State::dialing:
      return {.kind = Step::Kind::dial};
    case State::queued:
    case State::in_batch:
      return {.kind = Step::Kind::sleep, .until = wake_time(waiter, now), .spins = concurrency_limit_.is_near()};
    default:
      return {.kind = Step::Kind::done};
  }
}

// True if the waiter has left the queue.
bool PoolState::take_turn(Waiter& waiter, TimePoint now) {
  const bool is_next = queue_.front() == &waiter && may_use_another(now);
  if (closed_) {
    waiter.fail({.error = error_from(ErrorCode::closed, closed_error)});
  } else if (is_next && !idle_.empty()) {
    if (lead_or_fail(waiter, take_idle(*idle_.back()))) return true;
  } else if (is_next && may_dial(now)) {
    waiter.become(State::dialing);
    dial_policy_.begin(slots_);
    ++slots_;
  } else if (now >= waiter.waiting_ends.time() || dial_policy_.is_hopeless(connections(), now)) {
    waiter.fail({.error = error_from(dial_policy_.is_out() ? ErrorCode::unavailable : ErrorCode::pool_timeout,
                                     [this] { return late(); })});
  } else {
    return false;
  }
  queue_.remove(waiter);
  return true;
}

// True with the connection, which the waiter left the queue for.
bool PoolState::lead_or_fail(Waiter& waiter, std::unique_ptr<PooledConnection> pooled) {
  if (load(*pooled, waiter)) {
    waiter.become(State::holding);
    waiter.pooled = std::move(pooled);
    return true;
  }
  put_idle(std::move(pooled));
  waiter.fail({.error = out_of_memory()});
  return false;
}

// The connection becomes that of `first`, and carries the calls behind it in the queue. All of them leave the queue.
// False if there is no memory for that; then nothing has changed.
bool PoolState::load(PooledConnection& pooled, Waiter& first) {
  auto& batch = pooled.batch;
  batch.clear();
  pooled.is_leased = first.command.empty();
  if (pooled.is_leased) {
    if (queue_.contains(first)) queue_.remove(first);
    ++leased_;
    return true;
  }
  if (!batch.fill(queue_, first, batch_limit_, BatchLimit::most_calls) && !batch.fill(queue_, first, batch_limit_, 1)) {
    return false;
  }
  for (Waiter* const waiter : batch.waiters) {
    if (queue_.contains(*waiter)) queue_.remove(*waiter);
    waiter->become(State::in_batch);
    waiter->batch = &batch;
  }
  in_flight_ += batch.waiters.size();
  gathering_ = (gathering_ + 1) % ParkingLot::shared_groups;
  return true;
}

void PoolState::take_dialed(Waiter& waiter, Result<std::unique_ptr<PooledConnection>> opened, TimePoint now,
                            Wakes& wakes) {
  if (opened) {
    dial_policy_.succeed();
    (*opened)->generation = generation_;
    lead_or_fail(waiter, std::move(*opened));
    return wake_first(wakes);
  }
  --slots_;
  auto error = not_sent(std::move(opened.error()));
  const bool goes_on = dial_policy_.fail(error, slots_, now);
  if (dial_policy_.is_hopeless(slots_, now)) wake_all(wakes);
  const bool gives_up = now >= waiter.deadline.time() || !goes_on;
  // An attempt that the deadline cut short says less than the one before it.
  if (!gives_up || !waiter.dial_error) waiter.dial_error = std::move(error);
  if (gives_up) {
    waiter.fail({.error = std::move(*waiter.dial_error)});
    wake_first(wakes);
  } else {
    waiter.become(State::queued);
    queue_.push_front(waiter);
  }
}

// Connections in use are enough as long as they come back; while they stay away, the next call does not wait for them.
bool PoolState::may_use_another(TimePoint now) const {
  return in_use() < concurrency_limit_.limit() || now - progress_at_ >= patience_with_those_in_use;
}

// An idle one, or one that may be opened as soon as the outage's pause is over.
bool PoolState::has_another() const { return !idle_.empty() || (!dial_policy_.is_dialing() && slots_ < capacity()); }

PoolState::TimePoint PoolState::wake_time(const Waiter& waiter, TimePoint now) const {
  if (waiter.state() == State::in_batch) return waiter.deadline.time();
  if (queue_.front() != &waiter || !has_another()) return waiter.waiting_ends.time();
  auto time = idle_.empty() && dial_policy_.is_out() ? dial_policy_.next_attempt() : now;
  if (in_use() >= concurrency_limit_.limit()) time = std::max(time, progress_at_ + patience_with_those_in_use);
  return std::min(time, waiter.waiting_ends.time());
}

Error PoolState::late() const {
  if (dial_policy_.is_out()) return dial_policy_.error();
  return {ErrorCode::pool_timeout,
          fmt::format("all {} connections stayed busy; raise pool.size or look for what keeps the server busy",
                      capacity())};
}

void PoolState::wake_first(Wakes& wakes) {
  if (!queue_.empty()) wakes.post(*queue_.front(), WakeSignal::look);
}

void PoolState::wake_all(Wakes& wakes) {
  for (Waiter* waiter = queue_.front(); waiter != nullptr; waiter = queue_.behind(*waiter)) {
    wakes.post(*waiter, WakeSignal::look);
  }
}

void PoolState::adopt(PooledConnection& pooled) {
  ++slots_;
  pooled.generation = generation_;
  pooled.is_leased = true;
  ++leased_;
}

PoolState::Returned PoolState::give_back(std::unique_ptr<PooledConnection> pooled, TimePoint now, Wakes& wakes) {
  note_batch(*pooled, now);
  end_use(*pooled, now);
  if (const auto reason = why_retired(*pooled, now); !reason.empty()) {
    return {.surplus = std::move(pooled), .reason = reason};
  }
  if (Waiter* const first = queue_.front(); first != nullptr && load(*pooled, *first)) {
    const bool is_lent = pooled->is_leased;
    if (is_lent) {
      first->become(State::holding);
      first->pooled = std::move(pooled);
      wakes.post(*first, WakeSignal::granted);
    }
    if (may_use_another(now) && has_another()) wake_first(wakes);
    return {.loaded = std::move(pooled)};
  }
  pooled->idle_since = now;
  put_idle(std::move(pooled));
  // Those that this thread had no memory to load.
  wake_first(wakes);
  return {.surplus = take_stale_idle(now), .reason = "no longer needed"};
}

void PoolState::note_batch(const PooledConnection& pooled, TimePoint now) {
  const auto& batch = pooled.batch;
  if (!batch.deadline) return;
  concurrency_limit_.note(batch.waiters.size(), callers(), batch.round_trip, now);
  batch_limit_.note(batch.waiters.size(), batch.flight.reply_bytes());
}

void PoolState::end_use(PooledConnection& pooled, TimePoint now) {
  if (std::exchange(pooled.is_leased, false)) --leased_;
  in_flight_ -= pooled.batch.waiters.size();
  pooled.batch.waiters.clear();
  progress_at_ = now;
}

std::string_view PoolState::why_retired(const PooledConnection& pooled, TimePoint now) const {
  if (closed_) return "the pool was closed";
  if (pooled.generation != generation_) return "another connection to this server was lost";
  if (now >= pooled.retire_at) return "its lifetime has ended";
  return {};
}

std::unique_ptr<PooledConnection> PoolState::take_idle(PooledConnection& pooled) {
  idle_.remove(pooled);
  return std::unique_ptr<PooledConnection>(&pooled);
}

// The connections least used are at the front and would otherwise never be looked at again.
std::unique_ptr<PooledConnection> PoolState::take_stale_idle(TimePoint now) {
  const auto limit = slots_ > options_.size ? std::min(overflow_idle_limit, options_.idle_limit) : options_.idle_limit;
  return now - idle_.front()->idle_since < limit ? nullptr : take_idle(*idle_.front());
}

Waiter* PoolState::promote(std::unique_ptr<PooledConnection>& pooled, Wakes& wakes) {
  Waiter* const leader = pooled->batch.first_waiter();
  if (leader == nullptr) return nullptr;
  leader->become(pooled->batch.deadline ? State::offered : State::holding);
  leader->pooled = std::move(pooled);
  wakes.post(*leader, WakeSignal::granted);
  return leader;
}

void PoolState::leave_batch(Waiter& waiter) {
  waiter.batch->leave(waiter);
  waiter.fail({.error = late_answer(), .came_from_server = true});
}

void PoolState::give_up_unsent(Waiter& leader, TimePoint now, Wakes& wakes) {
  leader.batch->leave(leader);
  leader.fail({.error = too_late_to_send()});
  put_back(*leader.batch, nullptr, now, wakes);
}

void PoolState::put_back(Batch& batch, Waiter* self, TimePoint now, Wakes& wakes) {
  if (self != nullptr) self->signal.clear();
  for (Waiter* const waiter : batch.waiters | std::views::reverse) {
    if (waiter == nullptr) continue;
    waiter->become(State::queued);
    waiter->may_have_acted = waiter->may_have_acted || batch.deadline;
    waiter->waiting_ends = std::min(waiter->deadline, Deadline::at(now + options_.checkout_timeout));
    queue_.push_front(*waiter);
    if (waiter != self) wakes.post(*waiter, WakeSignal::look);
  }
}

PoolState::Connections PoolState::suspect(const PooledConnection& pooled) {
  if (pooled.generation != generation_) return {};
  ++generation_;
  return std::move(idle_);
}

void PoolState::remove(std::unique_ptr<PooledConnection> pooled, TimePoint now, Wakes& wakes) {
  end_use(*pooled, now);
  --slots_;
  if (connections() == 0) dial_policy_.lose_last();
  wake_first(wakes);
}

PoolState::Connections PoolState::close(Wakes& wakes) {
  closed_ = true;
  wake_all(wakes);
  return std::move(idle_);
}

PoolStatistics PoolState::statistics() const {
  return {.idle = idle_.size(),
          .used = connections() - idle_.size(),
          .waiting = queue_.size(),
          .maximum = capacity(),
          .in_flight = in_flight_ + leased_,
          .flights = connections() - idle_.size()};
}

void PoolState::forget_parent() {
  while (PooledConnection* const pooled = idle_.pop_front()) const std::unique_ptr<PooledConnection> forgotten(pooled);
  queue_.reset();
  slots_ = 0;
  leased_ = 0;
  in_flight_ = 0;
  dial_policy_.forget_parent();
}

}}}  // namespace obol::v0::redis
