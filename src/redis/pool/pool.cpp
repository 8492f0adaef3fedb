// Lending, waiting, retiring: the pool's rules.
#include "redis/pool/pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/random_generator.hpp"
#include "redis/net/socket.hpp"
#include "values/closed_error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr std::chrono::milliseconds patience_with_those_in_use{5};

/// Beyond the pool's size.
constexpr std::chrono::milliseconds overflow_idle_limit{1000};

}  // namespace

Pool::Lease::~Lease() {
  if (!pooled_) return;
  if (std::uncaught_exceptions() > exceptions_) {
    discard("the call that used it ended with an exception");
  } else {
    pool_->give_back(std::move(pooled_));
  }
}

// A command that this side still holds must not reach the server after the waiter has gone on without it.
void Pool::Lease::discard(std::string_view reason) {
  reset_on_close(pooled_->connection.descriptor());
  pool_->retire(std::move(pooled_), reason);
}

void Pool::Lease::discard_all(std::string_view reason) {
  reset_on_close(pooled_->connection.descriptor());
  pool_->retire_all(std::move(pooled_), reason);
}

void Pool::Lease::discard_for(const Error& error) {
  is_of_one_call(error) ? discard(error.message) : discard_all(error.message);
}

Pool::Pool(const PoolOptions& options, const Timeouts& timeouts, RetryBudget& budget, Open open, Report report)
    : options_(options),
      timeouts_(timeouts),
      budget_(budget),
      open_(std::move(open)),
      report_(std::move(report)),
      concurrency_limit_(options.size + options.max_overflow),
      fork_registration_(mutex_, [this] { forget_parent(); }) {}

Pool::~Pool() { close(); }

Result<Pool::Lease> Pool::checkout(Deadline deadline) {
  Waiter self{.command = {}, .deadline = deadline, .waiting_ends = deadline.within(options_.checkout_timeout)};
  for (;;) {
    take_turn(self);
    if (self.failure) {
      if (is_out_of_memory(self.failure->error)) throw std::bad_alloc();
      return std::unexpected(std::move(self.failure->error));
    }
    const auto reason = why_unusable(*self.pooled);
    if (reason.empty()) return Lease(*this, std::move(self.pooled));
    retire(std::move(self.pooled), reason);
  }
}

void Pool::take_turn(Waiter& self) {
  Lock lock(mutex_);
  // It may have had a turn already, and a connection that was of no use.
  self.signal.clear();
  if (queue_.size() < options_.max_waiting) {
    self.group = group_for(self);
    queue_.push_back(self);
    return await_turn(lock, self);
  }
  fail(self, error_from(ErrorCode::pool_timeout, [this] {
         return Error{ErrorCode::pool_timeout,
                      fmt::format("{} calls are already waiting; raise pool.max_waiting or look "
                                  "for what keeps the server busy",
                                  queue_.size())};
       }));
}

// The first in the queue will lead the others, and has to be woken before them.
unsigned Pool::group_for(const Waiter& waiter) {
  if (!queue_.empty() && !waiter.command.empty()) return gathering_;
  leading_ = (leading_ + 1) % ParkingLot::shared_groups;
  return ParkingLot::shared_groups + leading_;
}

// The waiter stands in the queue. Does not throw.
void Pool::await_turn(Lock& lock, Waiter& self) {
  for (;;) {
    while (!look_again(self)) {
      const auto time = wake_time(self);
      const bool lingers = options_.busy_wait.count() > 0 && concurrency_limit_.is_near();
      lock.unlock();
      if (lingers) spin_then_sleep(self);
      parking_lot_.sleep(self.group, time, [&self] { return self.signal.word() != WakeSignal::none; });
      if (self.signal.is_final()) return;
      lock.lock();
    }
    if (!self.is_to_dial) return;
    lock.unlock();
    auto opened = open_pooled(self.deadline);
    lock.lock();
    if (take_dialed(self, std::move(opened))) return;
  }
}

// True once the wait is over.
bool Pool::look_again(Waiter& self) {
  if (self.signal.is_final()) return true;
  self.signal.clear();
  const auto now = Deadline::Time::now();
  if (self.batch != nullptr) {
    if (now < self.deadline.time()) return false;
    leave_batch(self);
    return true;
  }
  const bool is_next = queue_.front() == &self && may_use_another(now);
  if (closed_) {
    fail(self, error_from(ErrorCode::closed, closed_error));
  } else if (is_next && !idle_.empty()) {
    self.pooled = take_idle(*idle_.back());
    if (load(*self.pooled, self)) {
      wake_first();
      return true;
    }
    put_idle(std::move(self.pooled));
    fail(self, out_of_memory());
  } else if (is_next && may_dial(now)) {
    self.is_to_dial = dialing_ = true;
    self.dials_beside_others = slots_ > 0;
    ++slots_;
  } else if (now >= self.waiting_ends.time() || is_hopeless(now)) {
    fail(self, error_from(outage_ ? ErrorCode::unavailable : ErrorCode::pool_timeout, [this] { return late(); }));
  } else {
    return false;
  }
  queue_.remove(self);
  wake_first();
  return true;
}

void Pool::fail(Waiter& self, Error error) { self.failure.emplace(Failure{.error = std::move(error)}); }

Result<std::unique_ptr<Pool::PooledConnection>> Pool::open_pooled(Deadline deadline) const {
  return within_memory([&]() -> Result<std::unique_ptr<PooledConnection>> {
    auto connection = open_(deadline);
    if (!connection) return std::unexpected(std::move(connection.error()));
    auto pooled = make_pooled(std::move(*connection));
    report_(pooled->connection, {});
    return pooled;
  });
}

// True if the turn has come to its end, with the connection or with a failure; else the waiter is the first in the
// queue again, also if no other connection can be opened (a password was changed) while those there are may serve it.
// An attempt that the deadline cut short says less than the one before it.
bool Pool::take_dialed(Waiter& self, Result<std::unique_ptr<PooledConnection>> opened) {
  self.is_to_dial = dialing_ = false;
  if (opened) {
    outage_.reset();
    enlist(**opened);
    self.pooled = std::move(*opened);
    if (!load(*self.pooled, self)) {
      put_idle(std::move(self.pooled));
      fail(self, out_of_memory());
    }
    wake_first();
    return true;
  }
  --slots_;
  const bool is_refused = !is_transient(opened.error()) && !is_out_of_memory(opened.error());
  // Those that served beside it were lost meanwhile, perhaps by the very change that makes the next attempt succeed.
  const bool is_outdated = is_refused && slots_ == 0 && self.dials_beside_others;
  if (is_outdated) {
    outage_.reset();
  } else if (!is_out_of_memory(opened.error())) {
    note_failure(opened.error());
  }
  const bool may_go_on = is_transient(opened.error()) || (is_refused && slots_ > 0) || is_outdated;
  const bool gives_up = self.deadline.passed() || !may_go_on;
  if (!gives_up || !self.dial_error) self.dial_error = std::move(opened.error());
  if (gives_up) {
    fail(self, std::move(*self.dial_error));
    wake_first();
  } else {
    queue_.push_front(self);
  }
  return gives_up;
}

// Connections in use are enough as long as they come back; while they stay away, the next call does not wait for them.
bool Pool::may_use_another(Deadline::Time::time_point now) const {
  return in_use() < concurrency_limit_.limit() || now - progress_at_ >= patience_with_those_in_use;
}

bool Pool::may_dial(Deadline::Time::time_point now) const {
  return !dialing_ && slots_ < options_.size + options_.max_overflow && (!outage_ || now >= outage_->next_attempt);
}

bool Pool::is_without_connections() const { return slots_ == (dialing_ ? 1U : 0U); }

// With connections on loan there is hope: they come back.
bool Pool::is_hopeless(Deadline::Time::time_point now) const {
  return is_without_connections() && outage_ && (!outage_->is_transient || now - outage_->since >= timeouts_.total);
}

// An idle one, or one that may be dialed as soon as the outage's pause is over.
bool Pool::has_another() const {
  return !idle_.empty() || (!dialing_ && slots_ < options_.size + options_.max_overflow);
}

std::size_t Pool::in_use() const { return slots_ - leased_ - idle_.size(); }

Deadline::Time::time_point Pool::wake_time(const Waiter& self) const {
  if (self.batch != nullptr) return self.deadline.time();
  if (queue_.front() != &self || !has_another()) return self.waiting_ends.time();
  auto time = idle_.empty() && outage_ ? outage_->next_attempt : Deadline::Time::now();
  if (in_use() >= concurrency_limit_.limit()) time = std::max(time, progress_at_ + patience_with_those_in_use);
  return std::min(time, self.waiting_ends.time());
}

Error Pool::late() const {
  if (outage_) return outage_->error;
  return {ErrorCode::pool_timeout,
          fmt::format("all {} connections stayed busy; raise pool.size or look for what keeps the server busy",
                      options_.size + options_.max_overflow)};
}

Pool::Lease Pool::adopt(Connection connection) {
  auto pooled = make_pooled(std::move(connection));
  {
    const std::scoped_lock lock(mutex_);
    ++slots_;
    enlist(*pooled);
    pooled->is_leased = true;
    ++leased_;
  }
  report_(pooled->connection, {});
  return {*this, std::move(pooled)};
}

std::unique_ptr<Pool::PooledConnection> Pool::make_pooled(Connection connection) const {
  const auto now = Deadline::Time::now();
  return std::make_unique<PooledConnection>(PooledConnection{.connection = std::move(connection),
                                                             .generation = 0,
                                                             .retire_at = now + jittered(options_.lifetime_limit),
                                                             .idle_since = now,
                                                             .busy_wait = BusyWait(options_.busy_wait)});
}

// Under the lock; it has its slot.
void Pool::enlist(PooledConnection& pooled) { pooled.generation = generation_; }

void Pool::note_failure(const Error& error) {
  const auto now = Deadline::Time::now();
  if (!outage_) outage_.emplace(Outage{.since = now, .next_attempt = now, .backoff = {}, .error = {}});
  outage_->error = copy_of(error);
  outage_->is_transient = is_transient(error);
  outage_->next_attempt = now + outage_->backoff.next();
  if (!is_hopeless(now)) return;
  nudge_all();
}

void Pool::wake_first() {
  if (!queue_.empty()) nudge(*queue_.front());
}

void Pool::nudge_all() {
  for (Waiter* waiter = queue_.front(); waiter != nullptr; waiter = queue_.behind(*waiter)) nudge(*waiter);
}

void Pool::nudge(Waiter& waiter) {
  waiter.signal.post(WakeSignal::look);
  parking_lot_.wake(ParkingLot::Groups{1} << waiter.group);
}

void Pool::give_back(std::unique_ptr<PooledConnection> pooled) {
  const auto now = Deadline::Time::now();
  std::unique_ptr<PooledConnection> surplus;
  std::string_view reason;
  {
    Wakes wakes(parking_lot_);
    const std::scoped_lock lock(mutex_);
    if (const auto& batch = pooled->batch; batch.deadline) {
      concurrency_limit_.note(batch.waiters.size(), in_flight_ + queue_.size(), batch.round_trip, now);
      batch_limit_.note(batch.waiters.size(), batch.reply_bytes);
    }
    end_use(*pooled, now);
    reason = why_retired(*pooled, now);
    if (!reason.empty()) {
      surplus = std::move(pooled);
    } else if (Waiter* const first = queue_.front(); first != nullptr && load(*pooled, *first)) {
      if (pooled->is_leased) {
        first->pooled = std::move(pooled);
        wakes.post(*first, WakeSignal::granted);
      }
      if (may_use_another(now) && has_another()) wake_first();
    } else {
      pooled->idle_since = now;
      put_idle(std::move(pooled));
      surplus = take_stale_idle(now);
      reason = "no longer needed";
      // Those that this thread had no memory to load.
      wake_first();
    }
  }
  if (pooled) pass_on(std::move(pooled));
  if (surplus) retire(std::move(surplus), reason);
}

std::string_view Pool::why_retired(const PooledConnection& pooled, Deadline::Time::time_point now) const {
  if (closed_) return "the pool was closed";
  if (pooled.generation != generation_) return "another connection to this server was lost";
  if (now >= pooled.retire_at) return "its lifetime has ended";
  return {};
}

void Pool::retire_all(std::unique_ptr<PooledConnection> pooled, std::string_view reason) {
  auto idle = [&] {
    const std::scoped_lock lock(mutex_);
    // If a later connection exists already, the doubt about this one says nothing about that.
    if (pooled->generation != generation_) return IntrusiveQueue<PooledConnection>();
    ++generation_;
    return std::move(idle_);
  }();
  retire_idle(std::move(idle), reason);
  retire(std::move(pooled), reason);
}

void Pool::retire(std::unique_ptr<PooledConnection> pooled, std::string_view reason) {
  report_(pooled->connection, reason);
  const std::scoped_lock lock(mutex_);
  end_use(*pooled, Deadline::Time::now());
  pooled.reset();
  --slots_;
  // What kept others from being opened beside it says little about now.
  if (is_without_connections() && outage_ && !outage_->is_transient) outage_.reset();
  wake_first();
}

void Pool::end_use(PooledConnection& pooled, Deadline::Time::time_point now) {
  if (std::exchange(pooled.is_leased, false)) --leased_;
  in_flight_ -= pooled.batch.waiters.size();
  pooled.batch.waiters.clear();
  progress_at_ = now;
}

std::unique_ptr<Pool::PooledConnection> Pool::take_idle(PooledConnection& pooled) {
  idle_.remove(pooled);
  return std::unique_ptr<PooledConnection>(&pooled);
}

void Pool::put_idle(std::unique_ptr<PooledConnection> pooled) { idle_.push_back(*pooled.release()); }

void Pool::retire_idle(IntrusiveQueue<PooledConnection> idle, std::string_view reason) {
  while (PooledConnection* const pooled = idle.pop_front()) retire(std::unique_ptr<PooledConnection>(pooled), reason);
}

// The connections least used stand at the front and would otherwise never be looked at again.
std::unique_ptr<Pool::PooledConnection> Pool::take_stale_idle(Deadline::Time::time_point now) {
  const auto limit = slots_ > options_.size ? std::min(overflow_idle_limit, options_.idle_limit) : options_.idle_limit;
  return now - idle_.front()->idle_since < limit ? nullptr : take_idle(*idle_.front());
}

std::string_view Pool::why_unusable(const PooledConnection& pooled) const {
  const auto now = Deadline::Time::now();
  if (now >= pooled.retire_at) return "its lifetime has ended";
  if (now - pooled.idle_since >= options_.idle_limit) return "unused for too long";
  if (!pooled.connection.is_reusable()) return "the server closed it";
  return {};
}

void Pool::close() {
  auto idle = [this] {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    nudge_all();
    return std::move(idle_);
  }();
  retire_idle(std::move(idle), "the pool was closed");
}

PoolStatistics Pool::statistics() {
  const std::scoped_lock lock(mutex_);
  return {.idle = idle_.size(),
          .used = slots_ - idle_.size() - (dialing_ ? 1 : 0),
          .waiting = queue_.size(),
          .maximum = options_.size + options_.max_overflow};
}

// The child has none of the parent's sockets (open_sockets.hpp) and begins anew.
void Pool::forget_parent() {
  while (PooledConnection* const pooled = idle_.pop_front()) const std::unique_ptr<PooledConnection> forgotten(pooled);
  queue_.reset();
  handoff_slot_.reset();
  slots_ = 0;
  leased_ = 0;
  in_flight_ = 0;
  dialing_ = false;
  outage_.reset();
}

}}}  // namespace obol::v0::redis
