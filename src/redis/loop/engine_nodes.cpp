// The servers of an engine: opens and closes connections to them, and keeps the calls that wait for one.
#include <algorithm>
#include <string_view>
#include <utility>

#include "base/random_generator.hpp"
#include "redis/core/verdict.hpp"
#include "redis/loop/engine_implementation.hpp"
#include "values/closed_error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr std::chrono::milliseconds exclusive_idle_limit{1000};

}  // namespace

LoopNode& Engine::Implementation::node_of(const NodeHandle& handle) {
  if (latest_node_ != nullptr && latest_node_->node.get() == handle.get()) return *latest_node_;
  auto known = nodes_.find(handle.get());
  if (known == nodes_.end()) {
    for (auto* const list : {&dirty_nodes_, &pumped_nodes_}) list->reserve(nodes_.size() + 1);
    known = nodes_.emplace(handle.get(), std::make_unique<LoopNode>(handle, client_->timeouts().total)).first;
    servers_.store(nodes_.size(), std::memory_order_relaxed);
  }
  latest_node_ = known->second.get();
  return *latest_node_;
}

void Engine::Implementation::mark_dirty(LoopNode& node) {
  if (!std::exchange(node.is_dirty, true)) dirty_nodes_.push_back(&node);
}

void Engine::Implementation::enqueue(EngineCall& call, const NodeHandle& handle) {
  auto& node = node_of(handle);
  const bool goes_alone =
      call.exchange.kind == Exchange::Kind::exclusive || call.goes_alone_ || call.machine_->sharing() == Sharing::alone;
  wait_in(goes_alone ? node.alone : node.shared, call, Stage::queued);
  queued_.fetch_add(1, std::memory_order_relaxed);
  if (const auto ends = now_ + pool_.checkout_timeout; !call.replica_ && ends < call.deadline.time()) {
    wheel_.set(call.timer_, ends);
  }
  mark_dirty(node);
}

void Engine::Implementation::pump(LoopNode& node) {
  if (node.node->has_left()) send_away(node);
  if (node.main && node.main->is_idle() && now_ - node.main->idle_since >= pool_.idle_limit) {
    close_connection(node, *node.main, "it was idle for too long");
  }
  if (node.main && !node.shared.empty()) send_shared(node);
  if (!node.alone.empty()) send_alone(node);
  open_connections(node);
  tidy(node);
}

// One at a time. The main connection first, then those for calls that go alone, then one in place of a main connection
// whose lifetime has ended.
void Engine::Implementation::open_connections(LoopNode& node) {
  const bool lacks_main = !node.main && node.has_waiting();
  const bool lacks_exclusive = !node.alone.empty() && node.exclusive.size() < most_exclusive();
  const bool is_old = node.main && now_ >= node.main->retire_at;
  if ((!lacks_main && !lacks_exclusive && !is_old) || was_closed_ || node.node->has_left()) return;
  auto& policy = node.dial_policy;
  if (policy.may_dial(now_)) return dial(node);
  if (policy.is_dialing()) return;
  if (policy.is_hopeless(node.connections(), now_)) return fail_waiting(node);
  wheel_.set(node.timer, policy.next_attempt());
}

void Engine::Implementation::dial(LoopNode& node) {
  node.dial_policy.begin(node.connections());
  run_aside([client = client_, handle = node.node,
             deadline = Deadline::at(now_ + client_->timeouts().total)] { return handle->dial(deadline); },
            [this, &node](Result<Connection> dialed) { take_dialed(node, std::move(dialed)); });
}

void Engine::Implementation::take_dialed(LoopNode& node, Result<Connection> dialed) {
  mark_dirty(node);
  const auto taken = dialed ? take_connection(node, std::move(*dialed)) : std::unexpected(std::move(dialed.error()));
  if (taken) return node.dial_policy.succeed();
  const auto error = not_sent(copy_of(taken.error()));
  const bool goes_on = node.dial_policy.fail(error, node.connections(), now_);
  if (node.node->has_left()) return;
  if (node.dial_policy.is_hopeless(node.connections(), now_)) return fail_waiting(node);
  if (!goes_on) fail_first(node, error);
}

// Memory was short: as in a blocking call, one of those that wait is told.
void Engine::Implementation::fail_first(LoopNode& node, const Error& error) {
  mark_dirty(node);
  auto* const first = node.shared.empty() ? node.alone.front() : node.shared.front();
  if (first == nullptr) return;
  unlink(*first);
  fail(*first, {.error = copy_of(error)});
}

Result<void> Engine::Implementation::take_connection(LoopNode& node, Connection connection) {
  auto adopted = within_memory([&] {
    make_room_for_connection(node);
    return LoopConnection::adopt(std::move(connection), *poller_, node, now_);
  });
  if (!adopted) return std::unexpected(std::move(adopted.error()));
  node.node->report((*adopted)->server(), {});
  connections_.fetch_add(1, std::memory_order_relaxed);
  (*adopted)->retire_at = now_ + jittered(pool_.lifetime_limit);
  if (!node.main) {
    node.main = std::move(*adopted);
  } else if (now_ >= node.main->retire_at) {
    drain(node, std::exchange(node.main, std::move(*adopted)));
  } else {
    node.exclusive.push_back(std::move(*adopted));
  }
  return {};
}

// So that nothing needs memory when it is used and closed.
void Engine::Implementation::make_room_for_connection(LoopNode& node) {
  const auto all = connections_.load(std::memory_order_relaxed) + 1;
  unread_.reserve(all);
  closed_connections_.reserve(closed_connections_.size() + all);
  node.exclusive.reserve(node.exclusive.size() + 1);
  node.draining.reserve(node.connections() + 1);
}

// During an outage that is not waited out.
void Engine::Implementation::fail_waiting(LoopNode& node) {
  for (auto* const queue : {&node.shared, &node.alone}) {
    for_each_waiting(*queue, [&](EngineCall& call) { fail(call, {.error = late_for_connection(node)}); });
  }
}

Error Engine::Implementation::late_for_connection(const LoopNode& node) {
  if (node.dial_policy.is_out()) return copy_of(node.dial_policy.error());
  if (node.dial_policy.is_dialing() && node.connections() == 0) return too_late_to_send();
  return error_from(ErrorCode::pool_timeout, [] {
    return Error{ErrorCode::pool_timeout,
                 "the connection stayed busy; raise pool.size or look for what keeps the server busy"};
  });
}

// Closes what is used no longer, and what must not be used again. A node that serves no more is forgotten.
void Engine::Implementation::tidy(LoopNode& node) {
  const auto close_idle = [&](const LoopNode::Connections& connections, Deadline::Time::duration limit) {
    // From the last one on, whose place is not taken by another when one is closed.
    for (auto i = connections.size(); i-- > 0;) {
      const auto& connection = *connections[i];
      if (!connection.is_idle() || now_ - connection.idle_since < limit) continue;
      close_connection(node, connection, "no longer needed");
    }
  };
  close_idle(node.draining, {});
  close_idle(node.exclusive, was_closed_ ? Deadline::Time::duration{} : exclusive_idle_limit);
  if (node.main && node.main->is_idle() && (was_closed_ || node.node->has_left())) {
    close_connection(node, *node.main, was_closed_ ? "the store was closed" : "the server has left the cluster");
  }
  if (!node.exclusive.empty() && !node.timer.is_set) wheel_.set(node.timer, now_ + exclusive_idle_limit);
  if (!node.node->has_left() || !node.is_unused()) return;
  wheel_.clear(node.timer);
  std::erase(dirty_nodes_, &node);
  if (latest_node_ == &node) latest_node_ = nullptr;
  nodes_.erase(node.node.get());
  servers_.store(nodes_.size(), std::memory_order_relaxed);
}

// It finishes what it carries.
void Engine::Implementation::drain(LoopNode& node, std::unique_ptr<LoopConnection> connection) {
  if (connection) node.draining.push_back(std::move(connection));
  mark_dirty(node);
}

// It is destroyed at the end of the round, since an event of it may still be at hand.
void Engine::Implementation::close_connection(LoopNode& node, const LoopConnection& connection,
                                              std::string_view reason) {
  node.node->report(connection.server(), reason);
  auto taken = node.take(connection);
  wheel_.clear(taken->timer);
  taken->is_closed = true;
  if (std::exchange(taken->is_counted_as_used, false)) in_use_.fetch_sub(1, std::memory_order_relaxed);
  std::erase(unread_, taken.get());
  connections_.fetch_sub(1, std::memory_order_relaxed);
  closed_connections_.push_back(std::move(taken));
  if (node.connections() == 0) node.dial_policy.lose_last();
}

void Engine::Implementation::on_due(LoopNode& node) { mark_dirty(node); }

// Those that were opened before take no more calls.
void Engine::Implementation::suspect_others(LoopNode& node) {
  drain(node, std::move(node.main));
  for (auto& connection : std::exchange(node.exclusive, {})) drain(node, std::move(connection));
}

// The calls that wait at a node that has left the cluster go elsewhere.
void Engine::Implementation::send_away(LoopNode& node) {
  for (auto* const queue : {&node.shared, &node.alone}) {
    for_each_waiting(*queue, [this](EngineCall& call) {
      if (!call.replica_) wheel_.set(call.timer_, call.deadline.time());
      fail(call, {.error = error_from(ErrorCode::closed, closed_error)});
    });
  }
  suspect_others(node);
}

}}}  // namespace obol::v0::redis
