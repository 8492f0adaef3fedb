// The life of a call in an engine: does what its CallMachine says.
#include <algorithm>
#include <array>
#include <utility>

#include "redis/core/verdict.hpp"
#include "redis/loop/engine_implementation.hpp"
#include "redis/net/stream.hpp"
#include "redis/protocol/reply_error.hpp"
#include "redis/protocol/server_time.hpp"
#include "values/closed_error.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

Error no_thread() {
  return {ErrorCode::unavailable, "the system gives no thread; raise the limit of threads or memory"};
}

}  // namespace

/// The command for one of the keys of a call. It is never completed: its end is told to the whole.
class EngineCall::Part final : public EngineCall {
 private:
  void complete() override {}
  void drop() noexcept override {}
  Command make_write(bool) const override { return {}; }
};

struct EngineCall::Parts {
  explicit Parts(std::size_t count) : parts(std::make_unique<Part[]>(count)), left(count) {}
  std::unique_ptr<Part[]> parts;
  std::size_t left;  ///< Not ended yet.
};

EngineCall::EngineCall() = default;
EngineCall::~EngineCall() = default;
void EngineCall::forget_parts() noexcept { parts_ = nullptr; }

void Engine::Implementation::admit(EngineCall& call) {
  if (was_closed_) return end(call, std::unexpected(closed_error()));
  if (const auto& credentials = client_->credentials(); !is_renewing_credentials_ && credentials.is_renewal_due(now_)) {
    renew_credentials();
  }
  call.may_have_acted_ = false;
  call.was_split_ = false;
  call.goes_alone_ = false;
  if (call.exchange.kind == Exchange::Kind::each) {
    if (call.exchange.keys.empty()) return end(call, Exchanged{});
    if (client_->topology().is_sharded()) return split(call);
  }
  call.machine_.emplace(client_->rules(), client_->budget(), call.deadline.time());
  wheel_.set(call.timer_, call.deadline.time());
  if (call.exchange.may_ask_replica && ask_replica(call)) return;
  advance(call, call.machine_->begin());
}

// A host's provider of credentials may block.
void Engine::Implementation::renew_credentials() {
  is_renewing_credentials_ = true;
  run_aside(
      [client = client_, now = now_]() -> Result<void> {
        client->credentials().renew_if_due(now);
        return {};
      },
      [this](const Result<void>&) { is_renewing_credentials_ = false; });
}

// Each part finds its own node, and follows its own redirections.
void Engine::Implementation::split(EngineCall& call) {
  const auto& whole = call.exchange;
  call.replies_.clear();
  call.replies_.resize(whole.keys.size());
  call.result_ = Exchanged{};
  call.parts_ = std::make_unique<EngineCall::Parts>(whole.keys.size());
  call.stage_ = Stage::split;
  for (std::size_t i = 0; i < whole.keys.size(); ++i) {
    auto& part = call.parts_->parts[i];
    part.exchange = {.key = whole.keys[i], .commands = whole.commands.subspan(i, 1)};
    part.deadline = call.deadline;
    part.whole_ = &call;
    part.stage_ = Stage::begun;
  }
  const auto parts = std::span(call.parts_->parts.get(), whole.keys.size());
  // The last part to end ends the whole.
  for (auto& part : parts) {
    within_memory_of(part, [&] { admit(part); });
  }
}

void Engine::Implementation::end_part(EngineCall& part, Result<Exchanged> result) {
  auto& whole = *part.whole_;
  const auto index = static_cast<std::size_t>(static_cast<EngineCall::Part*>(&part) - whole.parts_->parts.get());
  if (!result) {
    if (whole.result_) whole.result_ = std::unexpected(std::move(result.error()));
  } else {
    whole.replies_[index] = std::move(part.reply_);
  }
  if (--whole.parts_->left > 0) return;
  if (whole.result_) whole.result_->replies = whole.replies_;
  end(whole, std::move(whole.result_));
}

void Engine::Implementation::advance(EngineCall& call, Action action) {
  within_memory_of(call, [&] { take_steps(call, action); });
}

void Engine::Implementation::take_steps(EngineCall& call, Action action) {
  using enum CallMachine::Action;
  auto& machine = *call.machine_;
  for (;;) {
    if (was_closed_ && action != finish) return end(call, std::unexpected(closed_error()));
    std::optional<Action> next;
    switch (action) {
      case locate:
        next = locate_node(call);
        break;
      case send:
        if (call.next_) call.node_ = std::move(call.next_);
        call.next_ = nullptr;
        return enqueue(call, call.node_);
      case follow:
        next = follow_redirect(call);
        break;
      case learn:
        next = learn_topology(call);
        break;
      case load_scripts:
        call.node_->use_scripts();
        [[fallthrough]];
      case load_functions:
        return load_functions_for(call);
      case pause:
        wait_in(paused_, call, Stage::paused);
        return wheel_.set(call.timer_, machine.resume_at());
      case finish:
        return finish_call(call);
    }
    if (!next) return;
    action = *next;
  }
}

std::optional<CallMachine::Action> Engine::Implementation::locate_node(EngineCall& call) {
  auto& topology = client_->topology();
  call.next_ = topology.known_node_of(call.exchange.key);
  if (call.next_) return call.machine_->located(now_);
  std::string key(call.exchange.key);
  wait_in(locating_.waiting, call, Stage::aside);
  run_once(
      locating_,
      [client = client_, key = std::move(key), deadline = call.deadline] {
        return client->topology().node_of(key, deadline);
      },
      [this](EngineCall& waiting, const auto& located) { return after_locating(waiting, located); });
  return std::nullopt;
}

// What could not be located for one call is not looked for again for each of the others.
CallMachine::Action Engine::Implementation::after_locating(EngineCall& call, const Result<NodeHandle>& located) {
  call.next_ = client_->topology().known_node_of(call.exchange.key);
  if (call.next_) return call.machine_->located(now_);
  if (located) return Action::locate;
  return call.machine_->not_located(copy_of(located.error()), now_);
}

// A node that is known needs no learning: that can be done behind the call.
std::optional<CallMachine::Action> Engine::Implementation::follow_redirect(EngineCall& call) {
  auto& topology = client_->topology();
  const auto redirect = call.machine_->redirect();
  call.next_ = topology.join(redirect, call.node_);
  const bool is_known = call.next_ != nullptr;
  const bool learns = redirect.kind == Redirect::Kind::moved && (following_.is_running || topology.can_learn());
  auto learn = [client = client_, redirect, node = call.node_, deadline = call.deadline]() -> Result<void> {
    client->topology().learn_after(redirect, node, deadline);
    return {};
  };
  if (!learns) return call.machine_->followed(is_known, now_);
  if (!is_known) wait_in(following_.waiting, call, Stage::aside);
  run_once(following_, std::move(learn), [this](EngineCall& waiting, const Result<void>&) {
    waiting.next_ = client_->topology().known_node_of(waiting.exchange.key);
    return waiting.machine_->followed(waiting.next_ != nullptr, now_);
  });
  return is_known ? std::optional(call.machine_->followed(true, now_)) : std::nullopt;
}

std::optional<CallMachine::Action> Engine::Implementation::learn_topology(EngineCall& call) {
  if (learning_.is_running || !client_->topology().can_learn()) return call.machine_->learnt(now_);
  wait_in(learning_.waiting, call, Stage::aside);
  run_once(
      learning_,
      [client = client_, node = call.node_, deadline = call.deadline]() -> Result<void> {
        client->topology().suspect(node, deadline);
        return {};
      },
      [this](EngineCall& waiting, const Result<void>&) { return waiting.machine_->learnt(now_); });
  return std::nullopt;
}

// Nodes may have left: calls that wait there go elsewhere.
void Engine::Implementation::take_topology() {
  for (const auto& [_, node] : nodes_) {
    if (node->node->has_left()) mark_dirty(*node);
  }
}

// One call at a time has them loaded; the others wait for what comes of it.
// Not by the deadline of this call: others wait with it, and each has a timer of its own.
void Engine::Implementation::load_functions_for(EngineCall& call) {
  auto& node = node_of(call.node_);
  wait_in(node.loading.waiting, call, Stage::aside);
  const auto deadline = Deadline::at(now_ + client_->timeouts().total);
  run_once(
      node.loading,
      [client = client_, handle = call.node_, deadline]() -> Result<std::optional<CallFailure>> {
        auto loaded = client->load_functions_into(*handle, deadline);
        if (loaded) return std::nullopt;
        return std::move(loaded.error());
      },
      [this](EngineCall& waiting, const auto& outcome) { return after_loading(waiting, outcome); });
}

CallMachine::Action Engine::Implementation::after_loading(EngineCall& call,
                                                          const Result<std::optional<CallFailure>>& outcome) {
  if (outcome && !*outcome) {
    node_of(call.node_).loaded_at = now_;
    return call.machine_->loaded(now_);
  }
  CallFailure failure = outcome ? CallFailure{.error = copy_of((*outcome)->error), .may_repeat = (*outcome)->may_repeat}
                                : CallFailure{.error = copy_of(outcome.error())};
  return call.machine_->not_loaded(std::move(failure), call.node_->has_left(), now_);
}

// A server that lacked the functions before they were loaded may have them now.
CallMachine::Action Engine::Implementation::repeat_if_loaded_since(EngineCall& call, Action action, Time sent_at) {
  const bool lacks_functions = action == Action::load_functions || action == Action::load_scripts;
  return lacks_functions && sent_at < node_of(call.node_).loaded_at ? call.machine_->loaded(now_) : action;
}

// True if a replica is asked, or will be once it is known which. Only this call waits for the choice: others that come
// meanwhile are sent to what is known.
bool Engine::Implementation::ask_replica(EngineCall& call) {
  call.node_ = client_->topology().known_node_of(call.exchange.key);
  auto* const replicas = call.node_ ? call.node_->replicas() : nullptr;
  if (replicas == nullptr) return false;
  const auto ends = std::min(call.deadline.time(), now_ + client_->timeouts().command);
  auto& choosing = node_of(call.node_).choosing;
  if (choosing.is_running || !replicas->must_ask()) return send_to_replica(call, replicas->known(), ends);
  wait_in(choosing.waiting, call, Stage::aside);
  run_once(
      choosing,
      [node = call.node_, client = client_, deadline = Deadline::at(ends)]() -> Result<NodeHandle> {
        return node->replicas()->pick(node->pool(), deadline);
      },
      [this, ends](EngineCall& waiting, const Result<NodeHandle>& replica) -> std::optional<Action> {
        if (replica && send_to_replica(waiting, *replica, ends)) return std::nullopt;
        return waiting.machine_->begin();
      });
  return true;
}

bool Engine::Implementation::send_to_replica(EngineCall& call, NodeHandle replica, Time ends) {
  if (!replica) return false;
  call.replica_ = std::move(replica);
  wheel_.set(call.timer_, ends);
  enqueue(call, call.replica_);
  return true;
}

// Once only: the primary is the better one to ask after that.
void Engine::Implementation::ask_primary_instead(EngineCall& call) {
  call.node_->replicas()->avoid(std::exchange(call.replica_, nullptr));
  wheel_.set(call.timer_, call.deadline.time());
  advance(call, call.machine_->begin());
}

void Engine::Implementation::start(std::unique_ptr<Errand> errand) {
  auto* const work = errand.release();
  const auto come_back = [work](Inbox::Content& content) {
    content.done.push_back(*work);
    return true;
  };
  const auto started = within_memory([&]() -> Result<void> {
    BackgroundTasks::Task task([inbox = inbox_, work, come_back] {
      work->work();
      inbox->put(come_back);
    });
    if (BackgroundTasks::start(std::move(task))) return {};
    return std::unexpected(error_from(ErrorCode::unavailable, no_thread));
  });
  if (started) return;
  work->fail(copy_of(started.error()));
  inbox_->put(come_back);
}

void Engine::Implementation::wait_in(Queue& queue, EngineCall& call, Stage stage) {
  call.stage_ = stage;
  call.queue_ = &queue;
  queue.push_back(call);
}

// Takes the call from wherever it is. What it has in flight is answered without it.
void Engine::Implementation::unlink(EngineCall& call) {
  if (call.queue_ != nullptr) {
    std::exchange(call.queue_, nullptr)->remove(call);
    if (call.stage_ == Stage::queued) queued_.fetch_sub(1, std::memory_order_relaxed);
  }
  if (call.flight_ != nullptr) {
    auto& passengers = std::exchange(call.flight_, nullptr)->passengers;
    std::ranges::find(passengers, &call, &Passenger::call)->call = nullptr;
  }
  if (!call.parts_) return;
  for (auto& part : std::span(call.parts_->parts.get(), call.exchange.keys.size())) {
    if (part.stage_ == Stage::ended) continue;
    const bool is_in_flight = part.flight_ != nullptr;
    unlink(part);
    wheel_.clear(part.timer_);
    part.stage_ = Stage::ended;
    if (!is_in_flight) unanswered_.fetch_sub(1, std::memory_order_relaxed);
  }
}

void Engine::Implementation::on_due(EngineCall& call) {
  within_memory_of(call, [&] { end_stage(call); });
}

// Its time is over.
void Engine::Implementation::end_stage(EngineCall& call) {
  const auto stage = call.stage_;
  unlink(call);
  auto& machine = *call.machine_;
  if (stage == Stage::paused) {
    wheel_.set(call.timer_, call.deadline.time());
    return advance(call, machine.resumed(now_));
  }
  if (call.replica_) {
    if (stage == Stage::in_flight) note_left_in_flight(call);
    return ask_primary_instead(call);
  }
  if (stage == Stage::in_flight) {
    note_left_in_flight(call);
    return fail(call, {.error = late_answer(), .came_from_server = true});
  }
  fail(call, {.error = stage == Stage::queued ? late_for_connection(node_of(call.node_)) : too_late_to_send()});
}

// Its commands stay counted until their flight has ended; the call counts anew if it goes on.
void Engine::Implementation::note_left_in_flight(const EngineCall& call) {
  unanswered_.fetch_add(call.weight(), std::memory_order_relaxed);
}

// It may not be located yet.
void Engine::Implementation::fail(EngineCall& call, CallFailure failure) {
  if (call.replica_) return ask_primary_instead(call);
  failure.may_have_acted = failure.may_have_acted || call.may_have_acted_;
  auto* const node = call.node_.get();
  if (node != nullptr && call.exchange.kind == Exchange::Kind::write) node->clock().forget();
  within_memory_of(call, [&] {
    take_steps(call, call.machine_->failed(std::move(failure), node != nullptr && node->has_left(), now_));
  });
}

void Engine::Implementation::finish_call(EngineCall& call) {
  if (auto failure = call.machine_->take_failure()) {
    auto& error = failure->error;
    return end(call, std::unexpected(failure->names_no_server ? call.node_->source().at_endpoint(std::move(error))
                                                              : std::move(error)));
  }
  auto& exchanged = *call.result_;
  if (!call.replies_.empty()) {
    if (call.was_split_) call.replies_.back().integer = 0;
    exchanged.replies = call.replies_;
  } else {
    exchanged.replies = {&call.reply_, 1};
  }
  end(call, std::move(call.result_));
}

// The call is the owner's again, who may destroy it once it is completed.
void Engine::Implementation::end(EngineCall& call, Result<Exchanged> result) {
  const bool is_in_flight = call.flight_ != nullptr;
  const bool was_split = call.stage_ == Stage::split;
  unlink(call);
  wheel_.clear(call.timer_);
  call.stage_ = Stage::ended;
  call.machine_.reset();
  call.node_ = call.next_ = call.replica_ = nullptr;
  // Commands in flight are counted until they are answered.
  if (!is_in_flight && !was_split) unanswered_.fetch_sub(call.whole_ ? 1 : call.weight(), std::memory_order_relaxed);
  if (call.whole_ != nullptr) return end_part(call, std::move(result));
  call.result_ = std::move(result);
  if (call.wanted_.exchange(Wanted::ended) == Wanted::cancelled) {
    inbox_->put([&call](Inbox::Content& content) {
      std::erase(content.cancelled, &call);
      return false;
    });
  }
  complete(call);
}

void Engine::Implementation::take_replies(EngineCall& call, const Passenger& passenger, std::span<Reply> replies,
                                          const LoopConnection& connection, Time sent_at) {
  call.replies_.clear();
  if (passenger.commands == 1) {
    call.reply_ = std::move(replies.back());
  } else {
    const std::size_t step = passenger.asks ? 2 : 1;
    for (std::size_t i = step - 1; i < replies.size(); i += step) call.replies_.push_back(std::move(replies[i]));
  }
  const auto own = own_replies(call);
  if (call.replica_) {
    if (own.front().is_error()) return ask_primary_instead(call);
    call.result_ = Exchanged{.replies = own};
    return end(call, std::move(call.result_));
  }
  const auto action = judge(call, own, passenger);
  if (const auto& failure = call.machine_->failure(); !failure) {
    call.result_ = Exchanged{.answered_by = connection.identity()};
    if (passenger.asks_time) take_time(call, sent_at);
  } else if (call.exchange.kind == Exchange::Kind::write) {
    call.node_->clock().forget();
  }
  call.was_split_ = call.machine_->was_split();
  advance(call, repeat_if_loaded_since(call, action, sent_at));
}

std::span<const Reply> Engine::Implementation::own_replies(const EngineCall& call) {
  return call.replies_.empty() ? std::span(&call.reply_, 1) : std::span(call.replies_);
}

// The names of the commands are needed for an error only.
CallMachine::Action Engine::Implementation::judge(EngineCall& call, std::span<const Reply> replies,
                                                  const Passenger& passenger) const {
  auto& machine = *call.machine_;
  if (std::ranges::none_of(replies, &Reply::is_error)) return machine.replied(replies, {});
  const auto judge_as = [&](std::span<const Command> commands) {
    return machine.replied(replies, client_->functions().as_sent(commands, passenger.functions).commands);
  };
  if (call.exchange.kind != Exchange::Kind::write) return judge_as(call.exchange.commands);
  return judge_as(std::array{call.make_write(passenger.asks_time), Command{"TIME"}});
}

void Engine::Implementation::take_time(EngineCall& call, Time sent_at) {
  const auto theirs = server_time(call.replies_.back());
  if (theirs) call.node_->clock().learn(*theirs, sent_at);
  call.reply_ = std::move(call.replies_.front());
  call.result_->is_past = was_past(call.reply_, theirs, call.exchange.expiry);
  call.replies_.clear();
}

}}}  // namespace obol::v0::redis
