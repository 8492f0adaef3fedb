// From a call to its reply, in the order in which it happens; behind that, what goes wrong on the way.
#include "redis/pool/pool.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include "redis/core/verdict.hpp"
#include "redis/net/socket.hpp"
#include "redis/net/stream.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

using State = Waiter::State;
using Time = Deadline::Time;

/// What a socket takes in without the server reading it, and for how long it is given the chance.
constexpr std::size_t largest_send_ahead = 65'536;
constexpr std::chrono::milliseconds longest_send_ahead{1};

/// That this process may use.
std::size_t processors() { return std::max(1U, std::thread::hardware_concurrency()); }

/// Of this process so far.
Time::duration processor_time() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

Pool::Pool(const PoolOptions& options, const Timeouts& timeouts, RetryBudget& budget, Open open, Report report)
    : options_(options),
      timeouts_(timeouts),
      budget_(budget),
      open_(std::move(open)),
      report_(std::move(report)),
      state_(options, timeouts.total),
      yield_guard_(processors()),
      fork_registration_(mutex_, [this] { forget_parent(); }) {}

Pool::~Pool() { close(); }

std::expected<Reply, CallFailure> Pool::call(const Command& command, Deadline deadline, Sharing sharing,
                                             ServerIdentity* answered_by) {
  Waiter self(command.bytes(), deadline, deadline.within(options_.checkout_timeout), sharing);
  take_turn(self);
  while (leads(self)) lead(self);
  if (!self.outcome && is_out_of_memory(self.outcome.error().error)) throw std::bad_alloc();
  if (self.outcome && answered_by != nullptr) *answered_by = self.answered_by;
  return std::move(self.outcome);
}

Result<Lease> Pool::checkout(Deadline deadline) {
  Waiter self({}, deadline, deadline.within(options_.checkout_timeout));
  for (;;) {
    take_turn(self);
    if (self.state() == State::finished) {
      auto& error = self.outcome.error().error;
      if (is_out_of_memory(error)) throw std::bad_alloc();
      return std::unexpected(std::move(error));
    }
    const auto now = Time::now();
    if (const auto reason = self.pooled->why_unusable(options_, now); !reason.empty()) {
      retire(std::move(self.pooled), reason);
      continue;
    }
    if (now < deadline.time()) return Lease(*this, std::move(self.pooled));
    give_back(std::move(self.pooled));
    return std::unexpected(too_late_to_send());
  }
}

Lease Pool::adopt(Connection connection) {
  auto pooled = make_pooled(std::move(connection));
  {
    const std::scoped_lock lock(mutex_);
    state_.adopt(*pooled);
  }
  report_(pooled->connection, {});
  return {*this, std::move(pooled)};
}

// Ends with a connection (`holding`, `offered`) or with the outcome (`finished`).
void Pool::take_turn(Waiter& self) {
  const auto step = [&] {
    Wakes wakes(parking_lot_);
    const std::scoped_lock lock(mutex_);
    state_.enter(self);
    return state_.next_step(self, Time::now(), wakes);
  }();
  await_turn(self, step);
}

PoolState::Step Pool::next_step(Waiter& self) {
  Wakes wakes(parking_lot_);
  const std::scoped_lock lock(mutex_);
  return state_.next_step(self, Time::now(), wakes);
}

// Does not throw.
void Pool::await_turn(Waiter& self, PoolState::Step step) {
  using Kind = PoolState::Step::Kind;
  for (; step.kind != Kind::done; step = next_step(self)) {
    if (step.kind == Kind::dial) {
      dial(self);
    } else {
      if (step.spins) spin(self);
      parking_lot_.sleep(self.group, step.until, [&self] { return self.signal.word() != WakeSignal::none; });
      if (self.signal.is_final()) break;
    }
  }
  if (self.signal.word() == WakeSignal::answered) self.become(State::finished);
}

void Pool::dial(Waiter& self) {
  auto opened = open_pooled(self.deadline);
  Wakes wakes(parking_lot_);
  const std::scoped_lock lock(mutex_);
  state_.take_dialed(self, std::move(opened), Time::now(), wakes);
}

Result<std::unique_ptr<PooledConnection>> Pool::open_pooled(Deadline deadline) const {
  return within_memory([&]() -> Result<std::unique_ptr<PooledConnection>> {
    auto connection = open_(deadline);
    if (!connection) return std::unexpected(std::move(connection.error()));
    auto pooled = make_pooled(std::move(*connection));
    report_(pooled->connection, {});
    return pooled;
  });
}

std::unique_ptr<PooledConnection> Pool::make_pooled(Connection connection) const {
  return std::make_unique<PooledConnection>(std::move(connection), options_, Time::now());
}

// True if the waiter leads a batch; false once its outcome is there.
bool Pool::leads(Waiter& self) {
  if (self.state() == State::offered) return take_back(self);
  return self.state() == State::holding;
}

// Ends with the waiter's outcome, or, if the connection could not be used, with another connection or an outcome.
void Pool::lead(Waiter& self) {
  auto& pooled = *self.pooled;
  auto& batch = pooled.batch;
  const auto now = Time::now();
  if (now >= self.deadline.time()) return step_down(self);
  if (!batch.deadline) {
    if (const auto reason = pooled.why_unusable(options_, now); !reason.empty()) return requeue(self, reason);
    if (const auto sent = send(pooled, self.deadline, now); !sent) {
      return end_batch(std::move(self.pooled), &self, sent.error());
    }
  }
  for (;;) {
    const auto deadline = std::min(self.deadline, *batch.deadline);
    const auto all = take_in(pooled, [&] { return await_bytes(pooled, deadline); });
    if (all && *all) return finish(std::move(self.pooled), &self);
    if (all) continue;
    if (all.error().code == ErrorCode::timeout && !batch.deadline->passed()) return step_down(self);
    return end_batch(std::move(self.pooled), &self, all.error());
  }
}

Result<void> Pool::send(PooledConnection& pooled, Deadline deadline, Time::time_point now) const {
  auto& batch = pooled.batch;
  batch.deadline = Deadline::at(now + timeouts_.command);
  batch.sent_at = now;
  return within_memory(
      [&] { return pooled.connection.send(batch.flight.bytes(), std::min(deadline, *batch.deadline)); });
}

// Sleeps until bytes come. If nobody else waits for this connection, polls first, as long as the options say.
Result<bool> Pool::await_bytes(PooledConnection& pooled, Deadline deadline) {
  if (pooled.batch.waiters.size() == 1 && pooled.busy_wait.is_worth_it()) {
    auto came = poll_for_bytes(pooled, deadline);
    pooled.busy_wait.note(!came || *came);
    if (!came || *came) return came;
  }
  if (auto received = pooled.connection.receive(deadline); !received)
    return std::unexpected(std::move(received.error()));
  return true;
}

// False also at the deadline: a peer that keeps sending must not keep its caller.
Result<bool> Pool::poll_for_bytes(PooledConnection& pooled, Deadline deadline) {
  const auto end = std::min(pooled.busy_wait.end(), deadline.time());
  for (; Time::now() < end; std::this_thread::yield()) {
    auto came = pooled.connection.receive_if_ready();
    if (!came || *came) return came;
  }
  return false;
}

// `receive` says whether bytes came. True once all replies are there.
template <class Receive>
Result<bool> Pool::take_in(PooledConnection& pooled, Receive receive) {
  auto& batch = pooled.batch;
  if (batch.fault) return std::unexpected(copy_of(*batch.fault));
  return within_memory([&]() -> Result<bool> {
    auto came = receive();
    if (!came || !*came) return came;
    if (batch.round_trip.count() == 0) batch.round_trip = Time::now() - batch.sent_at;
    return batch.collect(pooled.connection);
  });
}

// The connection goes on before the followers are woken: the server shall not wait for them.
void Pool::finish(std::unique_ptr<PooledConnection> pooled, const Waiter* self) {
  Wakes wakes(parking_lot_);
  hand_out(*pooled, self, wakes);
  if (const auto failure = std::exchange(pooled->batch.failure, std::nullopt)) {
    return retire_all(std::move(pooled), failure->message);
  }
  budget_.earn(pooled->batch.waiters.size());
  pooled->batch.flight.give_memory_back();
  give_back(std::move(pooled));
}

void Pool::hand_out(PooledConnection& pooled, const Waiter* self, Wakes& wakes) {
  std::unique_lock lock(mutex_, std::defer_lock);
  if (pooled.batch.waiters.size() > 1) lock.lock();
  pooled.batch.hand_out(pooled.connection.identity(), self, budget_, wakes);
}

void Pool::give_back(std::unique_ptr<PooledConnection> pooled) {
  auto returned = [&] {
    const auto now = Time::now();
    Wakes wakes(parking_lot_);
    const std::scoped_lock lock(mutex_);
    return state_.give_back(std::move(pooled), now, wakes);
  }();
  if (returned.loaded) pass_on(std::move(returned.loaded));
  if (returned.surplus) retire(std::move(returned.surplus), returned.reason);
}

// The new leader finds its batch sent already: the server works while that thread wakes up.
void Pool::pass_on(std::unique_ptr<PooledConnection> pooled) {
  auto& batch = pooled->batch;
  // The marker of several calls shows what the kernel would be asked for.
  const bool is_fit = batch.waiters.size() > 1 ? pooled->connection.is_settled() : pooled->connection.is_reusable();
  if (is_fit && batch.flight.bytes().size() <= largest_send_ahead) {
    const auto now = Time::now();
    if (auto sent = send(*pooled, Deadline::at(now + longest_send_ahead), now); !sent) {
      return end_batch(std::move(pooled), nullptr, sent.error());
    }
  }
  promote(std::move(pooled));
}

// A connection whose replies nobody waits for is of no use.
void Pool::promote(std::unique_ptr<PooledConnection> pooled) {
  const bool is_sent = pooled->batch.deadline.has_value();
  {
    Wakes wakes(parking_lot_);
    const std::scoped_lock lock(mutex_);
    if (Waiter* const leader = state_.promote(pooled, wakes)) {
      // Only now, since whoever takes it may post the outcome. A leader that is `offered` waits for that to happen.
      if (is_sent) handoff_slot_.make(*leader);
      return;
    }
  }
  abandon_all(std::move(pooled), late_answer().message);
}

// The leader's connection belongs to whoever takes the offer. False if another thread has handed out the outcome.
bool Pool::take_back(Waiter& self) {
  const bool is_own = handoff_slot_.take_back(
      self, [&self] { return self.signal.word() == WakeSignal::answered; }, [this] { return yield(); });
  self.become(is_own ? State::holding : State::finished);
  return is_own;
}

// What is posted meanwhile saves a sleep, which costs more.
void Pool::spin(const Waiter& self) {
  constexpr int turns = 10;
  for (int turn = 0; turn < turns && self.signal.word() == WakeSignal::none; ++turn) {
    look_for_another(self);
    if (self.signal.word() != WakeSignal::none || !yield()) return;
  }
}

// False if it had better sleep.
bool Pool::yield() {
  const auto before = Time::now();
  if (!yield_guard_.permits(before)) return false;
  std::this_thread::yield();
  if (const auto after = Time::now(); yield_guard_.is_slow(before, after)) {
    const std::scoped_lock lock(mutex_);
    yield_guard_.note_slow(before, after, processor_time());
  }
  return true;
}

// Replies found too soon would take the connection on before the next batch has gathered: one turn of as many threads
// as the batch has calls is given to that.
// What goes wrong is left to the leader, since its calls may have to wait again, as this thread does.
void Pool::look_for_another(const Waiter& self) {
  Waiter* const leader = handoff_slot_.take();
  if (leader == nullptr) return;
  auto& pooled = *leader->pooled;
  auto& batch = pooled.batch;
  const auto deadline = std::min({self.deadline, leader->deadline, *batch.deadline});
  if (++batch.looks < batch.waiters.size() || deadline.passed()) return handoff_slot_.give_back(*leader);
  auto all = take_in(pooled, [&] { return pooled.connection.receive_if_ready(); });
  if (all && *all) return finish(std::move(leader->pooled), nullptr);
  if (all) return handoff_slot_.give_back(*leader);
  batch.fault = std::move(all.error());
  handoff_slot_.give_to_holder(*leader);
}

// The leader's deadline has passed. If its batch was not sent yet, it never is: its other calls wait again.
void Pool::step_down(Waiter& self) {
  auto pooled = std::move(self.pooled);
  const bool is_sent = pooled->batch.deadline.has_value();
  {
    Wakes wakes(parking_lot_);
    const std::scoped_lock lock(mutex_);
    is_sent ? PoolState::leave_batch(self) : state_.give_up_unsent(self, Time::now(), wakes);
  }
  is_sent ? promote(std::move(pooled)) : give_back(std::move(pooled));
}

// A connection that broke while it was idle: nothing was sent.
void Pool::requeue(Waiter& self, std::string_view reason) {
  auto pooled = std::move(self.pooled);
  {
    Wakes wakes(parking_lot_);
    const std::scoped_lock lock(mutex_);
    state_.put_back(pooled->batch, &self, Time::now(), wakes);
  }
  retire(std::move(pooled), reason);
  await_turn(self, next_step(self));
}

// The connection can be used no longer. `self`: the batch's leader; null if it has none yet.
void Pool::end_batch(std::unique_ptr<PooledConnection> pooled, Waiter* self, const Error& error) {
  const bool is_behind_all = pooled->batch.flight.answered() >= pooled->batch.waiters.size();
  const bool is_of_all = is_behind_all && !is_out_of_memory(error);
  if (is_of_all || verdict_for(error).drops == Verdict::Drops::all) return fail_all(std::move(pooled), self, error);
  end_one_call(std::move(pooled), self, error);
}

// The error is of the call whose reply was being read. The others go back to the queue, since none may suffer for
// another.
void Pool::end_one_call(std::unique_ptr<PooledConnection> pooled, Waiter* self, const Error& error) {
  bool waits_again = false;
  {
    Wakes wakes(parking_lot_);
    const std::scoped_lock lock(mutex_);
    auto& batch = pooled->batch;
    state_.note_unfinished(batch);
    batch.blame(error, self, wakes);
    // Once it is in the queue, other threads change its state.
    waits_again = self != nullptr && self->state() != State::finished;
    state_.put_back(batch, self, Time::now(), wakes);
  }
  abandon(std::move(pooled), error.message);
  if (waits_again) await_turn(*self, next_step(*self));
}

// The server, or the way to it, is in doubt: so are the replies to all calls on this connection.
void Pool::fail_all(std::unique_ptr<PooledConnection> pooled, const Waiter* self, const Error& error) {
  {
    Wakes wakes(parking_lot_);
    const std::scoped_lock lock(mutex_);
    pooled->batch.fail(error, self, budget_, wakes);
  }
  abandon_all(std::move(pooled), error.message);
}

void Pool::abandon(std::unique_ptr<PooledConnection> pooled, std::string_view reason) {
  // A command that this side still holds must not reach the server after its caller has gone on without it.
  reset_on_close(pooled->connection.descriptor());
  retire(std::move(pooled), reason);
}

void Pool::abandon_all(std::unique_ptr<PooledConnection> pooled, std::string_view reason) {
  reset_on_close(pooled->connection.descriptor());
  retire_all(std::move(pooled), reason);
}

void Pool::retire(std::unique_ptr<PooledConnection> pooled, std::string_view reason) {
  report_(pooled->connection, reason);
  Wakes wakes(parking_lot_);
  const std::scoped_lock lock(mutex_);
  state_.remove(std::move(pooled), Time::now(), wakes);
}

void Pool::retire_all(std::unique_ptr<PooledConnection> pooled, std::string_view reason) {
  auto idle = [&] {
    const std::scoped_lock lock(mutex_);
    return state_.suspect(*pooled);
  }();
  retire_idle(std::move(idle), reason);
  retire(std::move(pooled), reason);
}

void Pool::retire_idle(PoolState::Connections idle, std::string_view reason) {
  while (PooledConnection* const pooled = idle.pop_front()) retire(std::unique_ptr<PooledConnection>(pooled), reason);
}

void Pool::close() {
  auto idle = [this] {
    Wakes wakes(parking_lot_);
    const std::scoped_lock lock(mutex_);
    return state_.close(wakes);
  }();
  retire_idle(std::move(idle), "the pool was closed");
}

PoolStatistics Pool::statistics() {
  const std::scoped_lock lock(mutex_);
  return state_.statistics();
}

// The child has none of the parent's sockets (open_sockets.hpp) and begins anew.
void Pool::forget_parent() {
  state_.forget_parent();
  handoff_slot_.reset();
}

}}}  // namespace obol::v0::redis
