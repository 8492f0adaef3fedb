// Lending, waiting, retiring: the pool's rules.
#include "redis/pool/pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/random_generator.hpp"
#include "redis/net/socket.hpp"
#include "values/closed_error.hpp"
#include "values/out_of_memory.hpp"

namespace obol::inline v0::redis {
namespace {

constexpr std::chrono::milliseconds patience_with_those_in_use{5};

/// Beyond the pool's size.
constexpr std::chrono::milliseconds overflow_idle_limit{1000};

}  // namespace

Pool::Lease::~Lease() {
  if (!member_) return;
  if (std::uncaught_exceptions() > exceptions_) {
    discard("what used it was broken off");
  } else {
    pool_->give_back(std::move(member_));
  }
}

// A command that this side still holds must not reach the server after the caller has gone on without it.
void Pool::Lease::discard(std::string_view reason) {
  reset_on_close(member_->connection.descriptor());
  pool_->retire(std::move(member_), reason);
}

void Pool::Lease::discard_all(std::string_view reason) {
  reset_on_close(member_->connection.descriptor());
  pool_->retire_all(std::move(member_), reason);
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
      lanes_(options.size + options.max_overflow),
      fork_registration_(mutex_, [this] { forget_parent(); }) {}

Pool::~Pool() { close(); }

Result<Pool::Lease> Pool::checkout(Deadline deadline) {
  Caller self{.command = {}, .deadline = deadline, .waiting_ends = deadline.within(options_.checkout_timeout)};
  for (;;) {
    take_turn(self);
    if (self.failure) {
      if (is_out_of_memory(self.failure->error)) throw std::bad_alloc();
      return std::unexpected(std::move(self.failure->error));
    }
    const auto reason = why_unusable(*self.member);
    if (reason.empty()) return Lease(*this, std::move(self.member));
    retire(std::move(self.member), reason);
  }
}

void Pool::take_turn(Caller& self) {
  Lock lock(mutex_);
  // It may have had a turn already, and a connection that was of no use.
  self.notice.clear();
  if (queue_.size() < options_.maximum_waiting) {
    self.group = group_for(self);
    queue_.push_back(self);
    return await_turn(lock, self);
  }
  fail(self, error_from(ErrorCode::pool_timeout, [this] {
         return Error{ErrorCode::pool_timeout, fmt::format("{} calls wait already; raise pool.maximum_waiting or look "
                                                           "for what keeps the server busy",
                                                           queue_.size())};
       }));
}

// The first in the queue will lead the others, and has to be woken before them.
unsigned Pool::group_for(const Caller& caller) {
  if (!queue_.empty() && !caller.command.empty()) return gathering_;
  leading_ = (leading_ + 1) % Dormitory::shared_groups;
  return Dormitory::shared_groups + leading_;
}

// The caller stands in the queue. Does not throw.
void Pool::await_turn(Lock& lock, Caller& self) {
  for (;;) {
    while (!look_again(self)) {
      const auto time = wake_time(self);
      const bool lingers = options_.busy_wait.count() > 0 && lanes_.is_near();
      lock.unlock();
      if (lingers) linger(self);
      dormitory_.sleep(self.group, time, [&self] { return self.notice.word() != Notice::none; });
      if (self.notice.is_final()) return;
      lock.lock();
    }
    if (!self.is_to_dial) return;
    lock.unlock();
    auto opened = open_member(self.deadline);
    lock.lock();
    if (take_dialed(self, std::move(opened))) return;
  }
}

// True once the wait is over.
bool Pool::look_again(Caller& self) {
  if (self.notice.is_final()) return true;
  self.notice.clear();
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
    self.member = take_idle(*idle_.back());
    if (load(*self.member, self)) {
      wake_first();
      return true;
    }
    put_idle(std::move(self.member));
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

void Pool::fail(Caller& self, Error error) { self.failure.emplace(Failure{.error = std::move(error)}); }

Result<std::unique_ptr<Pool::Member>> Pool::open_member(Deadline deadline) const {
  return within_memory([&]() -> Result<std::unique_ptr<Member>> {
    auto connection = open_(deadline);
    if (!connection) return std::unexpected(std::move(connection.error()));
    auto member = make_member(std::move(*connection));
    report_(member->connection, {});
    return member;
  });
}

// True if the turn has come to its end, with the connection or with a failure; else the caller is the first in the
// queue again, also if no other connection can be opened (a password was changed) while those there are may serve it.
// An attempt that the deadline cut short says less than the one before it.
bool Pool::take_dialed(Caller& self, Result<std::unique_ptr<Member>> opened) {
  self.is_to_dial = dialing_ = false;
  if (opened) {
    outage_.reset();
    enlist(**opened);
    self.member = std::move(*opened);
    if (!load(*self.member, self)) {
      put_idle(std::move(self.member));
      fail(self, out_of_memory());
    }
    wake_first();
    return true;
  }
  --slots_;
  const bool is_refused = !may_pass(opened.error()) && !is_out_of_memory(opened.error());
  // Those that served beside it were lost meanwhile, perhaps by the very change that makes the next attempt succeed.
  const bool is_outdated = is_refused && slots_ == 0 && self.dials_beside_others;
  if (is_outdated) {
    outage_.reset();
  } else if (!is_out_of_memory(opened.error())) {
    note_failure(opened.error());
  }
  const bool may_go_on = may_pass(opened.error()) || (is_refused && slots_ > 0) || is_outdated;
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
  return in_use() < lanes_.limit() || now - progress_at_ >= patience_with_those_in_use;
}

bool Pool::may_dial(Deadline::Time::time_point now) const {
  return !dialing_ && slots_ < options_.size + options_.max_overflow && (!outage_ || now >= outage_->next_attempt);
}

bool Pool::is_without_connections() const { return slots_ == (dialing_ ? 1U : 0U); }

// With connections on loan there is hope: they come back.
bool Pool::is_hopeless(Deadline::Time::time_point now) const {
  return is_without_connections() && outage_ && (!outage_->may_pass || now - outage_->since >= timeouts_.total);
}

// An idle one, or one that may be dialed as soon as the outage's pause is over.
bool Pool::has_another() const {
  return !idle_.empty() || (!dialing_ && slots_ < options_.size + options_.max_overflow);
}

std::size_t Pool::in_use() const { return slots_ - leased_ - idle_.size(); }

Deadline::Time::time_point Pool::wake_time(const Caller& self) const {
  if (self.batch != nullptr) return self.deadline.time();
  if (queue_.front() != &self || !has_another()) return self.waiting_ends.time();
  auto time = idle_.empty() && outage_ ? outage_->next_attempt : Deadline::Time::now();
  if (in_use() >= lanes_.limit()) time = std::max(time, progress_at_ + patience_with_those_in_use);
  return std::min(time, self.waiting_ends.time());
}

Error Pool::late() const {
  if (outage_) return outage_->error;
  return {ErrorCode::pool_timeout,
          fmt::format("all {} connections stayed busy; raise pool.size or look for what keeps the server busy",
                      options_.size + options_.max_overflow)};
}

Pool::Lease Pool::adopt(Connection connection) {
  auto member = make_member(std::move(connection));
  {
    const std::scoped_lock lock(mutex_);
    ++slots_;
    enlist(*member);
    member->is_leased = true;
    ++leased_;
  }
  report_(member->connection, {});
  return {*this, std::move(member)};
}

std::unique_ptr<Pool::Member> Pool::make_member(Connection connection) const {
  const auto now = Deadline::Time::now();
  return std::make_unique<Member>(Member{.connection = std::move(connection),
                                         .generation = 0,
                                         .retire_at = now + jittered(options_.lifetime_limit),
                                         .idle_since = now,
                                         .busy_wait = BusyWait(options_.busy_wait)});
}

// Under the lock; it has its slot.
void Pool::enlist(Member& member) { member.generation = generation_; }

void Pool::note_failure(const Error& error) {
  const auto now = Deadline::Time::now();
  if (!outage_) outage_.emplace(Outage{.since = now, .next_attempt = now, .backoff = {}, .error = {}});
  outage_->error = copy_of(error);
  outage_->may_pass = may_pass(error);
  outage_->next_attempt = now + outage_->backoff.next();
  if (!is_hopeless(now)) return;
  nudge_all();
}

void Pool::wake_first() {
  if (!queue_.empty()) nudge(*queue_.front());
}

void Pool::nudge_all() {
  for (Caller* caller = queue_.front(); caller != nullptr; caller = queue_.behind(*caller)) nudge(*caller);
}

void Pool::nudge(Caller& caller) {
  caller.notice.post(Notice::look);
  dormitory_.wake(Dormitory::Groups{1} << caller.group);
}

void Pool::give_back(std::unique_ptr<Member> member) {
  const auto now = Deadline::Time::now();
  std::unique_ptr<Member> surplus;
  std::string_view reason;
  {
    Wakes wakes(dormitory_);
    const std::scoped_lock lock(mutex_);
    if (const auto& batch = member->batch; batch.deadline) {
      lanes_.note(batch.callers.size(), flying_ + queue_.size(), batch.round_trip, now);
      batch_limit_.note(batch.callers.size(), batch.reply_bytes);
    }
    end_use(*member, now);
    reason = why_retired(*member, now);
    if (!reason.empty()) {
      surplus = std::move(member);
    } else if (Caller* const first = queue_.front(); first != nullptr && load(*member, *first)) {
      if (member->is_leased) {
        first->member = std::move(member);
        wakes.post(*first, Notice::granted);
      }
      if (may_use_another(now) && has_another()) wake_first();
    } else {
      member->idle_since = now;
      put_idle(std::move(member));
      surplus = take_stale_idle(now);
      reason = "no longer needed";
      // Those that this thread had no memory to load.
      wake_first();
    }
  }
  if (member) pass_on(std::move(member));
  if (surplus) retire(std::move(surplus), reason);
}

std::string_view Pool::why_retired(const Member& member, Deadline::Time::time_point now) const {
  if (closed_) return "the pool was closed";
  if (member.generation != generation_) return "another connection to this server was lost";
  if (now >= member.retire_at) return "its lifetime is over";
  return {};
}

void Pool::retire_all(std::unique_ptr<Member> member, std::string_view reason) {
  auto idle = [&] {
    const std::scoped_lock lock(mutex_);
    // If a later connection exists already, the doubt about this one says nothing about that.
    if (member->generation != generation_) return IntrusiveQueue<Member>();
    ++generation_;
    return std::move(idle_);
  }();
  retire_idle(std::move(idle), reason);
  retire(std::move(member), reason);
}

void Pool::retire(std::unique_ptr<Member> member, std::string_view reason) {
  report_(member->connection, reason);
  const std::scoped_lock lock(mutex_);
  end_use(*member, Deadline::Time::now());
  member.reset();
  --slots_;
  // What kept others from being opened beside it says little about now.
  if (is_without_connections() && outage_ && !outage_->may_pass) outage_.reset();
  wake_first();
}

void Pool::end_use(Member& member, Deadline::Time::time_point now) {
  if (std::exchange(member.is_leased, false)) --leased_;
  flying_ -= member.batch.callers.size();
  member.batch.callers.clear();
  progress_at_ = now;
}

std::unique_ptr<Pool::Member> Pool::take_idle(Member& member) {
  idle_.remove(member);
  return std::unique_ptr<Member>(&member);
}

void Pool::put_idle(std::unique_ptr<Member> member) { idle_.push_back(*member.release()); }

void Pool::retire_idle(IntrusiveQueue<Member> idle, std::string_view reason) {
  while (Member* const member = idle.pop_front()) retire(std::unique_ptr<Member>(member), reason);
}

// The connections least used stand at the front and would otherwise never be looked at again.
std::unique_ptr<Pool::Member> Pool::take_stale_idle(Deadline::Time::time_point now) {
  const auto limit = slots_ > options_.size ? std::min(overflow_idle_limit, options_.idle_limit) : options_.idle_limit;
  return now - idle_.front()->idle_since < limit ? nullptr : take_idle(*idle_.front());
}

std::string_view Pool::why_unusable(const Member& member) const {
  const auto now = Deadline::Time::now();
  if (now >= member.retire_at) return "its lifetime is over";
  if (now - member.idle_since >= options_.idle_limit) return "unused for too long";
  if (!member.connection.is_reusable()) return "the server closed it";
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
  while (Member* const member = idle_.pop_front()) const std::unique_ptr<Member> forgotten(member);
  queue_.reset();
  offer_.reset();
  slots_ = 0;
  leased_ = 0;
  flying_ = 0;
  dialing_ = false;
  outage_.reset();
}

}  // namespace obol::inline v0::redis
