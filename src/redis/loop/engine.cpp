// The rounds of an engine: read, hand out, take in what others have put in, send.
#include "redis/loop/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/on_exit.hpp"
#include "obol/handler_turn.hpp"
#include "redis/loop/engine_implementation.hpp"
#include "values/async_errors.hpp"
#include "values/closed_error.hpp"
#include "values/last_handlers.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

Error too_many_calls(std::size_t most) {
  return {ErrorCode::pool_timeout, fmt::format("{} commands are already waiting for their replies; raise "
                                               "pool.max_waiting or look for what keeps the server busy",
                                               most)};
}

}  // namespace

Engine::Implementation::Implementation(std::shared_ptr<Client> client, const PoolOptions& pool,
                                       std::shared_ptr<Poller> poller)
    : client_(std::move(client)),
      pool_(pool),
      poller_(std::move(poller)),
      inbox_(std::make_shared<Inbox>(poller_)),
      now_(Deadline::Time::now()),
      wheel_(now_),
      received_(std::make_unique_for_overwrite<char[]>(most_received_at_once)) {
  spare_flights_.reserve(most_spare_flights);
}

Engine::Implementation::~Implementation() {
  close();
  run_last_handlers([this] {
    end_everything();
    return std::move(ended_here_);
  });
  if (!poller_->is_of_parent()) close_all_connections();
}

bool Engine::Implementation::begin(EngineCall& call) noexcept {
  const auto weight = call.weight();
  call.forget_parts();
  const auto refuse = [&](Error error) {
    unanswered_.fetch_sub(weight, std::memory_order_relaxed);
    call.result_ = std::unexpected(std::move(error));
    return false;
  };
  const auto most = pool_.max_waiting;
  const bool is_one_too_many = unanswered_.fetch_add(weight, std::memory_order_relaxed) + weight > most;
  bool is_closed = is_closed_ || poller_->is_of_parent();
  if (!is_closed) {
    if (is_one_too_many) return refuse(error_from(ErrorCode::pool_timeout, [most] { return too_many_calls(most); }));
    inbox_->put([&](Inbox::Content& content) {
      is_closed = content.is_closed;
      if (is_closed) return false;
      call.stage_ = Stage::begun;
      call.wanted_.store(Wanted::living, std::memory_order_relaxed);
      living_.fetch_add(1, std::memory_order_relaxed);
      content.begun.push_back(call);
      return true;
    });
  }
  return !is_closed || refuse(error_from(ErrorCode::closed, closed_error));
}

void Engine::Implementation::deliver(Completion& ended, Executor* executor) noexcept {
  if (executor != nullptr) return executor->post(Completions(ended));
  inbox_->put([&](Inbox::Content& content) {
    content.ended.push_back(ended);
    has_handlers_.store(true, std::memory_order_relaxed);
    return true;
  });
}

void Engine::Implementation::cancel(EngineCall& call) noexcept {
  inbox_->put([&call](Inbox::Content& content) {
    // A call that cannot be listed ends by its deadline.
    const auto listed = within_memory([&]() -> Result<void> {
      content.cancelled.push_back(&call);
      return {};
    });
    auto wanted = Wanted::living;
    if (!listed || call.wanted_.compare_exchange_strong(wanted, Wanted::cancelled)) return listed.has_value();
    content.cancelled.pop_back();
    return false;
  });
}

void Engine::Implementation::close() noexcept {
  is_closed_ = true;
  inbox_->put([](Inbox::Content& content) {
    content.is_closed = true;
    return true;
  });
}

// What has ended has a handler until that has run: so the calls are looked at first.
bool Engine::Implementation::closed() const noexcept {
  return is_closed_ && ((living_ == 0 && !has_handlers_.load(std::memory_order_acquire)) || is_torn());
}

PoolStatistics Engine::Implementation::statistics() const {
  const auto open = connections_.load(std::memory_order_relaxed);
  const auto used = std::min(in_use_.load(std::memory_order_relaxed), open);
  return {.idle = open - used,
          .used = used,
          .waiting = queued_.load(std::memory_order_relaxed),
          .maximum = (1 + most_exclusive()) * std::max<std::size_t>(servers_.load(std::memory_order_relaxed), 1),
          .opened = client_->counts().opened,
          .failed = client_->counts().failed,
          .in_flight = in_flight_.load(std::memory_order_relaxed),
          .flights = flights_.load(std::memory_order_relaxed)};
}

// What handlers begin goes out with what was put in before: so they run first.
void Engine::Implementation::run_ready() {
  driver_ = std::this_thread::get_id();
  if (is_torn()) return run_refused();
  if (poller_->is_of_parent()) return run_ready_in_child();
  const OneAtATime::Visit visit(rounds_);
  set_changing(true);
  inbox_->attend();
  const OnExit done([this] {
    rest();
    set_changing(false);
  });
  const auto turn = handlers_in_turn(living_.load(std::memory_order_relaxed));
  read_sockets();
  hand_over();
  run_handlers(turn);
  // A handler has forked, and this is the child: the descriptors of the connections may be another's by now.
  if (poller_->is_of_parent()) return run_ready_in_child();
  take_inbox();
  fire_timers();
  pump_dirty_nodes();
}

// Of the calls that have ended by now: what ends meanwhile waits for the next round, so that the loop goes on.
void Engine::Implementation::run_handlers(std::size_t turn) {
  if (ended_here_.empty()) return;
  auto due = std::move(ended_here_);
  const OnExit done([&] {
    set_changing(true);
    due.append(std::move(ended_here_));
    ended_here_ = std::move(due);
  });
  for (;;) {
    set_changing(false);
    due.run_some(turn);
    set_changing(true);
    // Handlers may take long.
    now_ = Deadline::Time::now();
    if (due.empty() || poller_->is_of_parent()) return;
    take_inbox();
    pump_dirty_nodes();
  }
}

// Looks again soon if a handler threw, or if calls ended after the handlers had run.
void Engine::Implementation::rest() noexcept {
  hand_over();
  closed_connections_.clear();
  set_timer();
  rest_inbox();
  if (!ended_here_.empty() || !dirty_nodes_.empty() || !unread_.empty()) poller_->wake();
}

void Engine::Implementation::read_sockets() {
  const auto events = poller_->next_events();
  // Behind that: what the timer was set to has come if its event is taken.
  now_ = Deadline::Time::now();
  // Bytes may be held above the descriptor, which then tells nothing.
  for (auto left = unread_.size(); left > 0 && !unread_.empty(); --left) {
    auto& connection = *unread_.front();
    unread_.erase(unread_.begin());
    connection.is_unread = false;
    receive(connection);
  }
  for (const auto& event : events) {
    if (event.source == nullptr) continue;
    auto& connection = *static_cast<LoopConnection*>(event.source);
    // One that was closed in this round is destroyed at its end.
    if (connection.is_closed) continue;
    // Under TLS, to write may have waited for reading, and to read for writing.
    if (connection.has_unwritten() && !flush(connection)) continue;
    const bool is_readable = event.is_readable || connection.read_needs_writing();
    if (is_readable && !connection.is_unread) receive(connection);
  }
}

bool Engine::Implementation::flush(LoopConnection& connection) {
  const auto flushed = within_memory([&connection] { return connection.flush(); });
  if (!flushed) {
    lose(connection, flushed.error());
  } else if (!connection.node().shared.empty()) {
    mark_dirty(connection.node());
  }
  return flushed.has_value();
}

void Engine::Implementation::take_inbox() {
  auto content = inbox_->take();
  ended_here_.append(std::move(content.ended));
  // First: none of them may end in another way before it is taken off the list.
  for (EngineCall* const call : content.cancelled) {
    if (call->stage_ == Stage::begun) content.begun.remove(*call);
    call->wanted_ = Wanted::living;
    end(*call, std::unexpected(error_from(ErrorCode::cancelled, cancelled_error)));
  }
  if (content.is_closed && !std::exchange(was_closed_, true)) {
    end_all_waiting(error_from(ErrorCode::closed, closed_error));
    for (const auto& [_, node] : nodes_) mark_dirty(*node);
  }
  while (Errand* const errand = content.done.pop_front()) {
    const std::unique_ptr<Errand> owned(errand);
    errand->take();
    take_topology();
  }
  while (EngineCall* const call = content.begun.pop_front()) {
    within_memory_of(*call, [&] { admit(*call); });
  }
}

void Engine::Implementation::fire_timers() {
  while (LoopTimer* const timer = wheel_.take_due(now_)) {
    std::visit([this](auto* owner) { on_due(*owner); }, timer->owner);
  }
}

// Only ever brought forward: most calls end long before their time.
void Engine::Implementation::set_timer() noexcept {
  const auto next = wheel_.next_due();
  if (timer_set_to_ && *timer_set_to_ <= now_) timer_set_to_.reset();
  if (!next || (timer_set_to_ && *timer_set_to_ <= *next)) return;
  poller_->set_timer(*next);
  timer_set_to_ = next;
}

void Engine::Implementation::pump_dirty_nodes() {
  // What is marked meanwhile is for the next round.
  std::swap(dirty_nodes_, pumped_nodes_);
  for (LoopNode* const node : pumped_nodes_) node->is_dirty = false;
  for (LoopNode* const node : pumped_nodes_) {
    const auto pumped = within_memory([&]() -> Result<void> {
      pump(*node);
      return {};
    });
    if (!pumped) fail_first(*node, pumped.error());
  }
  pumped_nodes_.clear();
}

void Engine::Implementation::hand_over() noexcept {
  for (auto& [executor, completions] : ended_) {
    if (!completions.empty()) executor->post(std::move(completions));
  }
  ended_.clear();
}

// Before the lock is released: from then on other threads may add handlers.
void Engine::Implementation::rest_inbox() {
  inbox_->rest([this] { has_handlers_.store(!ended_here_.empty(), std::memory_order_release); });
}

void Engine::Implementation::complete(EngineCall& call) noexcept {
  has_handlers_.store(true, std::memory_order_relaxed);
  living_.fetch_sub(1, std::memory_order_release);
  if (call.executor == nullptr) return ended_here_.push_back(call);
  const auto found = std::ranges::find(ended_, call.executor, &std::pair<Executor*, Completions>::first);
  if (found != ended_.end()) return found->second.push_back(call);
  const auto listed = within_memory([&]() -> Result<void> {
    ended_.emplace_back(call.executor, Completions());
    return {};
  });
  if (listed) return ended_.back().second.push_back(call);
  call.executor->post(Completions(call));
}

void Engine::Implementation::end_all(const Error& error) {
  end_all_waiting(error);
  for (const auto& [_, node] : nodes_) {
    for_each_connection(*node, [&](LoopConnection& connection) {
      for (auto& flight : connection.in_flight()) {
        for (auto& passenger : flight->passengers) {
          if (passenger.call != nullptr) end(*passenger.call, std::unexpected(copy_of(error)));
        }
      }
    });
  }
}

void Engine::Implementation::end_all_waiting(const Error& error) {
  for (const auto& [_, node] : nodes_) {
    for (auto* const queue : {&node->shared, &node->alone, &node->loading.waiting, &node->choosing.waiting}) {
      end_all_in(*queue, error);
    }
  }
  for (auto* const queue : {&locating_.waiting, &following_.waiting, &learning_.waiting, &paused_}) {
    end_all_in(*queue, error);
  }
}

void Engine::Implementation::end_all_in(Queue& queue, const Error& error) {
  while (!queue.empty()) end(*queue.front(), std::unexpected(copy_of(error)));
}

// Handlers find it whole, and so does a child that one of them forks.
void Engine::Implementation::set_changing(bool is_changing) noexcept {
  is_changing_.store(is_changing && !poller_->is_of_parent(), std::memory_order_release);
}

// The parent goes on with these calls; here nobody can answer them. What handlers begin waits for the next call of
// run_ready(), as it does in the parent.
void Engine::Implementation::run_ready_in_child() {
  const OnExit done([this] { rest_inbox(); });
  end_everything();
  ended_here_.run();
}

// Nothing but the inbox is whole: what was begun here is told, and the parent's calls are not.
void Engine::Implementation::run_refused() {
  auto refused = take_refused();
  const OnExit keep([&] {
    inbox_->put([&](Inbox::Content& content) {
      refused.append(std::move(content.ended));
      content.ended = std::move(refused);
      return false;
    });
  });
  refused.run();
}

Completions Engine::Implementation::take_refused() {
  Completions refused;
  inbox_->put([&](Inbox::Content& content) {
    refused = std::move(content.ended);
    return false;
  });
  return refused;
}

void Engine::Implementation::end_everything() {
  was_closed_ = true;
  take_inbox();
  end_all(error_from(ErrorCode::closed, closed_error));
  hand_over();
}

void Engine::Implementation::close_all_connections() {
  for (const auto& [_, node] : nodes_) {
    for_each_connection(*node, [&](const LoopConnection& connection) {
      node->node->report(connection.server(), "the store was closed");
    });
  }
}

Result<std::unique_ptr<Engine>> Engine::create(std::shared_ptr<Client> client, const PoolOptions& pool) {
  auto poller = Poller::create();
  if (!poller) return std::unexpected(std::move(poller.error()));
  return std::unique_ptr<Engine>(
      new Engine(std::make_unique<Implementation>(std::move(client), pool, std::move(*poller))));
}

Engine::Engine(std::unique_ptr<Implementation> implementation) noexcept : implementation_(std::move(implementation)) {}

// What is half changed can neither be used nor be destroyed.
Engine::~Engine() {
  if (!implementation_->is_torn()) return;
  auto* const torn = implementation_.release();
  run_last_handlers([torn] { return torn->take_refused(); });
}

int Engine::descriptor() const { return implementation_->descriptor(); }
void Engine::run_ready() { implementation_->run_ready(); }
bool Engine::begin(EngineCall& call) noexcept { return implementation_->begin(call); }
void Engine::deliver(Completion& ended, Executor* executor) noexcept { implementation_->deliver(ended, executor); }
void Engine::cancel(EngineCall& call) noexcept { implementation_->cancel(call); }
bool Engine::is_driven_by_this_thread() const noexcept { return implementation_->is_driven_by_this_thread(); }
void Engine::close() noexcept { implementation_->close(); }
bool Engine::closed() const noexcept { return implementation_->closed(); }
PoolStatistics Engine::statistics() const { return implementation_->statistics(); }

}}}  // namespace obol::v0::redis
