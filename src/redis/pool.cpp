// Lending, waiting, retiring: the pool's rules.
#include "redis/pool.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>

namespace obol::inline v0::redis {
namespace {

std::unexpected<Error> closed() {
  return std::unexpected(Error{ErrorCode::closed, "the store was closed; make a new one"});
}

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

void Pool::Lease::discard(std::string_view reason) { pool_->give_up(std::move(member_), reason); }

Pool::Pool(const PoolOptions& options, Open open, Report report)
    : options_(options),
      open_(std::move(open)),
      report_(std::move(report)),
      fork_registration_(mutex_, [this] { forget_parent(); }) {}

Pool::~Pool() { close(); }

Result<Pool::Lease> Pool::checkout(Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (closed_) return closed();
  std::unique_ptr<Member> member;
  if (!idle_.empty()) {
    member = std::move(idle_.back());
    idle_.pop_back();
  } else if (slots_ < options_.size + options_.max_overflow) {
    ++slots_;
  } else {
    switch (wait(lock, deadline.within(options_.checkout_timeout), member)) {
      case Turn::open:
        break;
      case Turn::closed:
        return closed();
      case Turn::late:
        return std::unexpected(Error{ErrorCode::pool_timeout,
                                     fmt::format("all {} connections stayed busy; raise PoolOptions::size or look for "
                                                 "what keeps the server busy",
                                                 options_.size + options_.max_overflow)});
    }
  }
  lock.unlock();
  if (!member) return open_one(deadline);
  const auto reason = why_unusable(*member);
  if (reason.empty()) return Lease(*this, std::move(member));
  retire(std::move(member), reason);
  return open_one(deadline);
}

// Called with a slot of its own, which it keeps or frees.
Result<Pool::Lease> Pool::open_one(Deadline deadline) {
  auto connection = open_(deadline);
  if (!connection) {
    free_slot();
    return std::unexpected(std::move(connection.error()));
  }
  const auto now = Deadline::Time::now();
  auto member = std::make_unique<Member>(Member{std::move(*connection), now + jittered(options_.lifetime_limit), now});
  {
    const std::scoped_lock lock(mutex_);
    descriptors_.push_back(member->connection.descriptor());
  }
  report_(member->connection, {});
  return Lease(*this, std::move(member));
}

Pool::Turn Pool::wait(std::unique_lock<std::mutex>& lock, Deadline deadline, std::unique_ptr<Member>& member) {
  Waiter self;
  waiters_.push_back(&self);
  self.granted.wait_until(lock, deadline.time(), [&self] { return self.done; });
  if (!self.done) {
    std::erase(waiters_, &self);
    return Turn::late;
  }
  member = std::move(self.member);
  // Granted a connection just before the pool closed, it still uses that one; give_back sees to the rest.
  return closed_ && !member ? Turn::closed : Turn::open;
}

bool Pool::grant(std::unique_ptr<Member>& member) {
  if (waiters_.empty()) return false;
  Waiter* const first = waiters_.front();
  waiters_.pop_front();
  first->member = std::move(member);
  first->done = true;
  // Under the lock: the waiter destroys the condition variable as soon as it may go on.
  first->granted.notify_one();
  return true;
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
    } else if (!waiters_.empty()) {
      grant(member);
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

void Pool::retire(std::unique_ptr<Member> member, std::string_view reason) {
  report_(member->connection, reason);
  // Closed under the lock: a fork in between would close a number that is already somebody else's.
  const std::scoped_lock lock(mutex_);
  std::erase(descriptors_, member->connection.descriptor());
  member.reset();
}

void Pool::free_slot() {
  const std::scoped_lock lock(mutex_);
  std::unique_ptr<Member> none;
  if (closed_ || !grant(none)) --slots_;
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
      waiter->granted.notify_one();
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
}

}  // namespace obol::inline v0::redis
