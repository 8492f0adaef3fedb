// Lending, waiting, retiring: the pool's rules.
#include "redis/pool.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>

#include "redis/socket.hpp"

namespace obol::inline v0::redis {
namespace {

std::unexpected<Error> closed() {
  return std::unexpected(Error{ErrorCode::closed, "the store was closed; make a new one"});
}

bool may_pass(const Error& error) { return error.code == ErrorCode::unavailable || error.code == ErrorCode::timeout; }

// Up to a tenth less than the limit, so that connections opened together do not all end together.
std::chrono::milliseconds jittered(std::chrono::milliseconds limit) {
  thread_local std::minstd_rand generator{std::random_device{}()};
  std::uniform_int_distribution<std::chrono::milliseconds::rep> less(0, limit.count() / 10);
  return limit - std::chrono::milliseconds(less(generator));
}

}  // namespace

Pool::Lease::~Lease() {
  if (member_) pool_->give_back(std::move(member_));
}

// A command that this side still holds must not reach the server after the caller has gone on without it.
void Pool::Lease::discard(std::string_view reason) {
  reset_on_close(member_->connection.descriptor());
  pool_->give_up(std::move(member_), reason);
}

void Pool::Lease::discard_all(std::string_view reason) {
  reset_on_close(member_->connection.descriptor());
  pool_->give_up_all(std::move(member_), reason);
}

Pool::Pool(const PoolOptions& options, std::chrono::milliseconds patience, Open open, Report report)
    : options_(options),
      patience_(patience),
      open_(std::move(open)),
      report_(std::move(report)),
      fork_registration_(mutex_, [this] { forget_parent(); }) {}

Pool::~Pool() { close(); }

Result<Pool::Lease> Pool::checkout(Deadline deadline) {
  const auto waiting_ends = deadline.within(options_.checkout_timeout);
  std::optional<Error> why;
  for (;;) {
    Lock lock(mutex_);
    auto granted = acquire(lock, waiting_ends);
    lock.unlock();
    if (!granted) return std::unexpected(std::move(granted.error()));
    if (auto member = std::move(*granted)) {
      const auto reason = why_unusable(*member);
      if (reason.empty()) return Lease(*this, std::move(member));
      give_up(std::move(member), reason);
      continue;
    }
    auto lease = dial(deadline);
    if (lease || !may_pass(lease.error())) return lease;
    // An attempt that the deadline cut short says less than the one before it.
    if (deadline.passed()) return std::unexpected(std::move(why ? *why : lease.error()));
    why = std::move(lease.error());
  }
}

Pool::Granted Pool::acquire(Lock& lock, Deadline deadline) {
  if (closed_) return closed();
  const auto now = Deadline::Time::now();
  if (!idle_.empty()) {
    auto member = std::move(idle_.back());
    idle_.pop_back();
    return member;
  }
  if (waiters_.empty() && may_dial(now)) {
    dialing_ = true;
    ++slots_;
    return nullptr;
  }
  if (is_hopeless(now)) return std::unexpected(outage_->error);
  return wait(lock, deadline);
}

// The first in the queue is the one that dials when it may; the others wait for a grant, or to become the first.
Pool::Granted Pool::wait(Lock& lock, Deadline deadline) {
  Waiter self;
  waiters_.push_back(&self);
  for (;;) {
    self.changed.wait_until(lock, wake_time(self, deadline));
    // Granted a connection just before the pool closed, it still uses that one; give_back sees to the rest.
    if (self.done && self.member) return std::move(self.member);
    if (self.done) return closed();
    const auto now = Deadline::Time::now();
    const bool dials = waiters_.front() == &self && may_dial(now);
    const bool gives_up = now >= deadline.time() || (!dials && is_hopeless(now));
    if (!dials && !gives_up) continue;
    std::erase(waiters_, &self);
    if (gives_up) {
      wake_first();
      return std::unexpected(late());
    }
    dialing_ = true;
    ++slots_;
    return nullptr;
  }
}

bool Pool::may_dial(Deadline::Time::time_point now) const {
  return !dialing_ && slots_ < options_.size + options_.max_overflow && (!outage_ || now >= outage_->next_attempt);
}

// With connections on loan there is hope: they come back.
bool Pool::is_hopeless(Deadline::Time::time_point now) const {
  const bool alone = slots_ == (dialing_ ? 1U : 0U);
  return alone && outage_ && (!outage_->may_pass || now - outage_->since >= patience_);
}

Deadline::Time::time_point Pool::wake_time(const Waiter& self, Deadline deadline) const {
  const bool waits_to_dial = waiters_.front() == &self && !dialing_ && slots_ < options_.size + options_.max_overflow;
  if (!waits_to_dial) return deadline.time();
  return outage_ ? std::min(deadline.time(), outage_->next_attempt) : Deadline::Time::now();
}

Error Pool::late() const {
  if (outage_) return outage_->error;
  return {ErrorCode::pool_timeout,
          fmt::format("all {} connections stayed busy; raise PoolOptions::size or look for what keeps the server busy",
                      options_.size + options_.max_overflow)};
}

// Called with dialing_ and a slot of its own; gives up the first, and the slot where it fails.
Result<Pool::Lease> Pool::dial(Deadline deadline) {
  auto connection = open_(deadline);
  Lock lock(mutex_);
  dialing_ = false;
  if (!connection) {
    --slots_;
    note_failure(connection.error());
    wake_first();
    return std::unexpected(std::move(connection.error()));
  }
  outage_.reset();
  wake_first();
  lock.unlock();
  return enlist(std::move(*connection));
}

Pool::Lease Pool::adopt(Connection connection) {
  {
    const std::scoped_lock lock(mutex_);
    ++slots_;
  }
  return enlist(std::move(connection));
}

Pool::Lease Pool::enlist(Connection connection) {
  const auto now = Deadline::Time::now();
  auto member =
      std::make_unique<Member>(Member{std::move(connection), {}, now + jittered(options_.lifetime_limit), now});
  {
    const std::scoped_lock lock(mutex_);
    member->generation = generation_;
    descriptors_.push_back(member->connection.descriptor());
  }
  report_(member->connection, {});
  return {*this, std::move(member)};
}

void Pool::note_failure(const Error& error) {
  const auto now = Deadline::Time::now();
  if (!outage_) outage_.emplace(Outage{.since = now, .next_attempt = now, .backoff = {}, .error = {}});
  outage_->error = error;
  outage_->may_pass = may_pass(error);
  outage_->next_attempt = now + outage_->backoff.next();
  if (!is_hopeless(now)) return;
  for (Waiter* waiter : waiters_) waiter->changed.notify_one();
}

// Under the lock: a waiter destroys its condition variable as soon as it may go on.
void Pool::wake_first() {
  if (!waiters_.empty()) waiters_.front()->changed.notify_one();
}

void Pool::give_back(std::unique_ptr<Member> member) {
  const auto now = Deadline::Time::now();
  if (now >= member->retire_at) return give_up(std::move(member), "its lifetime is over");
  member->idle_since = now;
  std::unique_ptr<Member> surplus;
  std::string_view reason = "the pool was closed";
  {
    const std::scoped_lock lock(mutex_);
    if (closed_) {
      --slots_;
      surplus = std::move(member);
    } else if (member->generation != generation_) {
      --slots_;
      surplus = std::move(member);
      reason = "another connection to this server was lost";
      wake_first();
    } else if (!waiters_.empty()) {
      Waiter* const first = waiters_.front();
      waiters_.pop_front();
      first->member = std::move(member);
      first->done = true;
      first->changed.notify_one();
      wake_first();
    } else if (slots_ > options_.size) {
      --slots_;
      surplus = std::move(member);
      reason = "no longer needed";
    } else {
      idle_.push_back(std::move(member));
      surplus = take_stale_idle(now);
      reason = "unused for too long";
    }
  }
  if (surplus) retire(std::move(surplus), reason);
}

void Pool::give_up(std::unique_ptr<Member> member, std::string_view reason) {
  retire(std::move(member), reason);
  free_slot();
}

void Pool::give_up_all(std::unique_ptr<Member> member, std::string_view reason) {
  std::deque<std::unique_ptr<Member>> idle;
  {
    const std::scoped_lock lock(mutex_);
    // Where a later connection exists already, the doubt about this one says nothing about that.
    if (member->generation == generation_) {
      ++generation_;
      slots_ -= idle_.size();
      idle.swap(idle_);
    }
  }
  for (auto& other : idle) retire(std::move(other), reason);
  give_up(std::move(member), reason);
}

void Pool::retire(std::unique_ptr<Member> member, std::string_view reason) {
  report_(member->connection, reason);
  // Closed under the lock: a fork in between would close a number that is already somebody else's.
  const std::scoped_lock lock(mutex_);
  std::erase(descriptors_, member->connection.descriptor());
  member.reset();
}

void Pool::free_slot() {
  const std::scoped_lock lock(mutex_);
  --slots_;
  wake_first();
}

// The connections least used stand at the front and would otherwise never be looked at again.
std::unique_ptr<Pool::Member> Pool::take_stale_idle(Deadline::Time::time_point now) {
  if (idle_.empty() || now - idle_.front()->idle_since < options_.idle_limit) return nullptr;
  auto stale = std::move(idle_.front());
  idle_.pop_front();
  --slots_;
  return stale;
}

std::string_view Pool::why_unusable(const Member& member) const {
  const auto now = Deadline::Time::now();
  if (now >= member.retire_at) return "its lifetime is over";
  if (now - member.idle_since >= options_.idle_limit) return "unused for too long";
  if (!member.connection.is_reusable()) return "the server closed it";
  return {};
}

void Pool::close() {
  std::deque<std::unique_ptr<Member>> idle;
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    slots_ -= idle_.size();
    idle.swap(idle_);
    for (Waiter* waiter : waiters_) {
      waiter->done = true;
      waiter->changed.notify_one();
    }
    waiters_.clear();
  }
  for (auto& member : idle) retire(std::move(member), "the pool was closed");
}

// The child shares the parent's sockets: it closes its copies without a word and begins anew.
void Pool::forget_parent() {
  idle_.clear();
  for (const int descriptor : descriptors_) ::close(descriptor);
  descriptors_.clear();
  waiters_.clear();
  slots_ = 0;
  dialing_ = false;
  outage_.reset();
}

}  // namespace obol::inline v0::redis
