// The keeper, and the ways by which events reach handlers.
#include "watch/watch_core.hpp"

#include <algorithm>
#include <new>
#include <system_error>

#include "base/on_exit.hpp"
#include "base/signals_blocked.hpp"
#include "redis/core/deadline.hpp"
#include "values/closed_error.hpp"

namespace obol { inline namespace v0 {
namespace {

/// A sleeper looks again then, in case that it was woken for nothing.
constexpr std::chrono::seconds longest_sleep{60};

constexpr std::chrono::milliseconds pause_without_memory{10};

SessionWatchEvent event_of(const WatchTable::Watched& watched) {
  switch (watched.status) {
    case WatchTable::Status::unknown:
      return {.status = SessionStatus::unknown};
    case WatchTable::Status::ended:
      return {.status = SessionStatus::ended, .end = watched.has_expired ? SessionEnd::expired : SessionEnd::removed};
    case WatchTable::Status::awaited:
    case WatchTable::Status::live:
      break;
  }
  return {.status = SessionStatus::live};
}

}  // namespace

WatchHandle::Watch::Watch(std::shared_ptr<WatchCore> core, std::string session_id, SessionWatchHandler handler)
    : core_(std::move(core)), handler_(std::move(handler)) {
  id = std::move(session_id);
}

WatchHandle::Watch::~Watch() = default;

void WatchHandle::Watch::end() noexcept {
  SessionWatchHandler handler;
  std::unique_lock lock(core_->mutex_);
  is_over_ = true;
  core_->table_.remove(*this);
  if (running_in_ == std::this_thread::get_id()) return;
  core_->await_handler(*this, lock);
  std::swap(handler, handler_);
  lock.unlock();
}

// Under the lock of the core.
bool WatchHandle::Watch::has_news() const { return !is_over_ && !core_->is_closed_ && status != told_; }

// What its handler must know by now. If it knows all, the Completion has done its work, and `self` is given up.
std::optional<SessionWatchEvent> WatchHandle::Watch::begin_event(std::shared_ptr<Watch>& self) {
  const std::scoped_lock lock(core_->mutex_);
  if (!has_news()) {
    self = std::move(queued_);
    return std::nullopt;
  }
  told_ = status;
  running_in_ = std::this_thread::get_id();
  return event_of(*this);
}

void WatchHandle::Watch::end_event() noexcept {
  bool is_awaited = false;
  {
    const std::scoped_lock lock(core_->mutex_);
    running_in_ = {};
    is_awaited = core_->waiting_ > 0;
  }
  if (is_awaited) core_->parking_lot_.wake(1U << WatchCore::waiting_group);
}

// Also tells what changes while the handler runs, so that events of one watch are told in order.
void WatchHandle::Watch::complete() {
  std::shared_ptr<Watch> self;
  bool has_thrown = true;
  const OnExit give_up([&] {
    if (has_thrown) end_after_exception(self);
  });
  while (const auto event = begin_event(self)) {
    const OnExit done([this] { end_event(); });
    if (handler_) handler_(*event);
  }
  has_thrown = false;
}

// What has changed while the handler ran is told by another Completion.
void WatchHandle::Watch::end_after_exception(std::shared_ptr<Watch>& self) noexcept {
  auto* const executor = core_->executor_;
  {
    const std::scoped_lock lock(core_->mutex_);
    if (executor == nullptr || !has_news()) {
      self = std::move(queued_);
      return;
    }
  }
  executor->post(Completions(*this));
}

void WatchHandle::Watch::drop() noexcept {
  std::shared_ptr<Watch> self;
  const std::shared_ptr<WatchCore> core = core_;
  const std::scoped_lock lock(core->mutex_);
  told_ = status;
  self = std::move(queued_);
}

WatchCore::WatchCore(const SessionWatchOptions& options)
    : max_staleness_(options.max_staleness),
      executor_(options.executor),
      table_(options.max_staleness),
      fork_registration_(mutex_, [this] { forget_parent(); }) {}

WatchCore::~WatchCore() { close(); }

Result<void> WatchCore::start(std::unique_ptr<WatchFeed> feed) {
  feed_ = std::move(feed);
  try {
    const SignalsBlocked blocked;
    const std::scoped_lock lock(mutex_);
    keeper_ = std::make_unique<std::thread>([self = shared_from_this()] { self->keep(); });
    keeper_id_ = keeper_->get_id();
    return {};
  } catch (const std::system_error&) {
    return std::unexpected(Error{ErrorCode::unavailable, "no thread could be started to watch sessions"});
  }
}

Result<WatchHandle> WatchCore::watch(const std::string& key, std::string id, SessionWatchHandler handler) {
  auto watch = std::make_shared<WatchHandle::Watch>(shared_from_this(), std::move(id), std::move(handler));
  const auto node = feed_->node_of(key);
  const bool is_added = change([&](WatchTable& table) {
    if (is_closed_ || is_in_child_) return false;
    table.add(*watch, key, node, WatchTable::Steady::now());
    return true;
  });
  if (!is_added) return std::unexpected(closed_error());
  feed_->wake(node);
  return WatchHandle(std::move(watch));
}

SessionWatchStatistics WatchCore::statistics() {
  SessionWatchStatistics statistics;
  {
    const std::scoped_lock lock(mutex_);
    const auto counts = table_.counts();
    statistics.watched = counts.watched;
    statistics.users = table_.hashes();
    statistics.unknown = counts.unknown;
    statistics.ended = counts.ended;
    statistics.reads = counts.reads;
  }
  feed_->add_to(statistics);
  return statistics;
}

bool WatchCore::is_over() {
  const std::scoped_lock lock(mutex_);
  return is_closed_ || is_in_child_;
}

SessionWatchStatisticsSource WatchCore::statistics_source() {
  return [weak = weak_from_this()]() -> std::optional<SessionWatchStatistics> {
    const auto core = weak.lock();
    if (!core || core->is_over()) return std::nullopt;
    return core->statistics();
  };
}

void WatchCore::close(Time give_up) {
  Completions untold;
  {
    const std::scoped_lock lock(mutex_);
    is_closed_ = true;
    table_.clear();
    untold = std::move(inline_);
  }
  if (feed_) feed_->stop();
  wake_keeper();
  await_end_of_keeper(give_up);
}

void WatchCore::await_end_of_keeper(Time give_up) {
  std::unique_ptr<std::thread> keeper;
  {
    const std::scoped_lock lock(mutex_);
    keeper = std::move(keeper_);
    if (keeper_id_ == std::thread::id{}) return;
    if (keeper_id_ == std::this_thread::get_id()) {
      if (keeper) keeper->detach();
      return;
    }
    ++waiting_;
  }
  const auto has_ended = [this] {
    const std::scoped_lock lock(mutex_);
    return has_keeper_ended_;
  };
  while (!has_ended() && WatchTable::Steady::now() < give_up) {
    parking_lot_.sleep(waiting_group, std::min(give_up, WatchTable::Steady::now() + longest_sleep), has_ended);
  }
  const bool ended = has_ended();
  {
    const std::scoped_lock lock(mutex_);
    --waiting_;
  }
  if (!keeper) return;
  if (ended) {
    keeper->join();
  } else {
    keeper->detach();
  }
}

void WatchCore::await_handler(const WatchHandle::Watch& watch, std::unique_lock<std::mutex>& lock) {
  const auto is_idle = [&] { return watch.running_in_ == std::thread::id{} || is_in_child_; };
  ++waiting_;
  while (!is_idle()) {
    lock.unlock();
    parking_lot_.sleep(waiting_group, WatchTable::Steady::now() + longest_sleep, [&] {
      const std::scoped_lock look(mutex_);
      return is_idle();
    });
    lock.lock();
  }
  --waiting_;
}

// The keeper is not here; its handle must be neither joined nor destroyed.
void WatchCore::forget_parent() {
  is_in_child_ = true;
  [[maybe_unused]] const auto* const abandoned = keeper_.release();
  keeper_id_ = {};
  waiting_ = 0;
}

void WatchCore::wake_keeper() noexcept {
  signal_.post(redis::WakeSignal::look);
  parking_lot_.wake(1U << keeper_group);
}

void WatchCore::keep() {
  while (keep_once()) continue;
  {
    const std::scoped_lock lock(mutex_);
    has_keeper_ended_ = true;
  }
  parking_lot_.wake(1U << waiting_group);
}

// False once it shall end.
bool WatchCore::keep_once() {
  signal_.clear();
  std::optional<Time> tend_at;
  try {
    tend_at = feed_->tend(WatchTable::Steady::now());
  } catch (const std::bad_alloc&) {
    tend_at = WatchTable::Steady::now() + pause_without_memory;
  }
  change([](WatchTable& table) { table.on_time(WatchTable::Steady::now()); });
  Completions ready;
  Time due = WatchTable::Steady::now() + longest_sleep;
  {
    const std::scoped_lock lock(mutex_);
    if (is_closed_ || is_in_child_) return false;
    ready = std::move(inline_);
    due = std::min({due, table_.next_due().value_or(due), tend_at.value_or(due)});
    wakes_at_ = ready.empty() ? due : Time::min();
  }
  if (!ready.empty()) {
    ready.run();
    return true;
  }
  parking_lot_.sleep(keeper_group, due, [this] { return signal_.word() != redis::WakeSignal::none; });
  return true;
}

// Of what the table says, under the lock. One Completion of a watch at a time is on its way.
Completions WatchCore::take_news() {
  Completions news;
  table_.take_changed([&](WatchTable::Watched& watched) {
    auto& watch = static_cast<WatchHandle::Watch&>(watched);
    if (watch.queued_) return;
    watch.queued_ = watch.shared_from_this();
    news.push_back(watch);
  });
  return news;
}

WatchCore::News::~News() {
  auto news = core_.take_news();
  const bool is_inline = core_.executor_ == nullptr;
  const bool has_news = !news.empty();
  if (is_inline) core_.inline_.append(std::exchange(news, {}));
  const auto due = core_.table_.next_due();
  const bool must_wake = (is_inline && has_news) || (due && *due < core_.wakes_at_);
  lock_.unlock();
  if (must_wake) core_.wake_keeper();
  if (!news.empty()) core_.executor_->post(std::move(news));
}

}}  // namespace obol::v0
