// What an engine has in the air: boards the calls that wait, hands out replies, and what goes wrong on the way.
#include <algorithm>
#include <ranges>
#include <utility>

#include "redis/core/verdict.hpp"
#include "redis/loop/engine_implementation.hpp"
#include "redis/net/stream.hpp"
#include "redis/protocol/reply_error.hpp"
#include "values/closed_error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr int most_reads_at_once = 16;

/// Of a call that was sent behind one that was not answered.
Error closed_behind_another() {
  return {ErrorCode::unavailable, "the connection was closed, since an earlier command on it was not answered in time"};
}

}  // namespace

// As many flights as it takes; what the kernel does not take waits in the connection up to a bound, and then here.
void Engine::Implementation::send_shared(LoopNode& node) {
  while (node.main && !node.main->is_congested() && !node.shared.empty()) {
    auto aboard = spare_flight();
    while (!node.shared.empty()) {
      const auto& flight = aboard->flight;
      // The exact size is known once the command is made, and the bound is a rough one.
      if (flight.calls() > 0 && !node.batch_limit.admits(flight.calls(), flight.bytes().size(), 0)) break;
      board(*aboard, node, *node.shared.front());
    }
    if (aboard->passengers.empty()) return retire_flight(std::move(aboard));
    send(*node.main, std::move(aboard));
  }
}

void Engine::Implementation::send_alone(LoopNode& node) {
  while (!node.alone.empty()) {
    auto* const connection = node.idle_exclusive();
    if (connection == nullptr) return;
    auto aboard = spare_flight();
    board(*aboard, node, *node.alone.front());
    if (aboard->passengers.empty()) {
      retire_flight(std::move(aboard));
    } else {
      send(*connection, std::move(aboard));
    }
  }
}

// The call leaves the queue, also if it cannot be sent any more.
void Engine::Implementation::board(PassengerFlight& aboard, LoopNode& node, EngineCall& call) {
  unlink(call);
  if (now_ >= call.deadline.time()) return fail(call, {.error = too_late_to_send()});
  const auto calls = aboard.flight.calls();
  const auto bytes = aboard.flight.bytes().size();
  const auto loaded = within_memory([&] { return load(aboard, node, call); });
  if (!loaded) {
    aboard.flight.take_back(calls, bytes);
    return fail(call, {.error = loaded.error()});
  }
  call.flight_ = &aboard;
  call.stage_ = Stage::in_flight;
  if (!call.replica_ && pool_.checkout_timeout < client_->timeouts().total) {
    wheel_.set(call.timer_, call.deadline.time());
  }
}

Result<void> Engine::Implementation::load(PassengerFlight& aboard, const LoopNode& node, EngineCall& call) {
  const bool is_write = call.exchange.kind == Exchange::Kind::write;
  Passenger passenger{.call = &call, .asks = !call.replica_ && call.machine_->asks()};
  passenger.functions = node.node->function_form();
  passenger.asks_time = is_write && node.node->clock().must_be_asked(call.exchange.expiry, now_, call.deadline.time());
  const auto add = [&](const Command& command) {
    if (passenger.asks) aboard.flight.add(Command{"ASKING"}.bytes());
    const auto script = client_->functions().as_script(command, passenger.functions);
    aboard.flight.add(script ? script->bytes() : command.bytes());
  };
  if (is_write) {
    add(call.make_write(passenger.asks_time));
    if (passenger.asks_time) add(Command{"TIME"});
    passenger.commands = passenger.asks_time ? 2 : 1;
  } else {
    for (const auto& command : call.exchange.commands) add(command);
    passenger.commands = static_cast<std::uint32_t>(call.exchange.commands.size());
  }
  aboard.passengers.push_back(passenger);
  return {};
}

void Engine::Implementation::send(LoopConnection& connection, std::unique_ptr<PassengerFlight> flight) {
  auto* const aboard = flight.get();
  const bool was_idle = connection.is_idle();
  note_sent(*aboard);
  const auto sent = within_memory([&] {
    if (aboard->passengers.size() == 1) aboard->flight.hold_any_size();
    aboard->flight.seal(Flight::Marked::always);
    return connection.send(flight, now_);
  });
  if (!sent) {
    if (flight) {
      note_landed(*flight);
      lose_flight(*flight, sent.error(), false, false);
    }
    return lose(connection, sent.error());
  }
  if (!was_idle) return;
  note_use(connection);
  watch_time_out(connection);
}

void Engine::Implementation::note_sent(const PassengerFlight& flight) {
  in_flight_.fetch_add(flight.passengers.size(), std::memory_order_relaxed);
  flights_.fetch_add(1, std::memory_order_relaxed);
}

void Engine::Implementation::note_landed(const PassengerFlight& flight) {
  in_flight_.fetch_sub(flight.passengers.size(), std::memory_order_relaxed);
  flights_.fetch_sub(1, std::memory_order_relaxed);
}

std::unique_ptr<PassengerFlight> Engine::Implementation::spare_flight() {
  if (spare_flights_.empty()) return std::make_unique<PassengerFlight>();
  auto flight = std::move(spare_flights_.back());
  spare_flights_.pop_back();
  return flight;
}

void Engine::Implementation::retire_flight(std::unique_ptr<PassengerFlight> flight) {
  if (spare_flights_.size() >= most_spare_flights) return;
  flight->flight.give_memory_back();
  flight->flight.clear();
  flight->passengers.clear();
  spare_flights_.push_back(std::move(flight));
}

void Engine::Implementation::on_due(LoopConnection& connection) {
  if (connection.is_idle()) return;
  if (now_ >= connection.oldest_sent_at() + client_->timeouts().command) return lose(connection, late_answer());
  watch_time_out(connection);
}

// Set for the oldest flight; later ones are looked at once it is due.
void Engine::Implementation::watch_time_out(LoopConnection& connection) {
  wheel_.set(connection.timer, connection.oldest_sent_at() + client_->timeouts().command);
}

void Engine::Implementation::receive(LoopConnection& connection) {
  if (const auto received = receive_all(connection); !received) return lose(connection, received.error());
  if (!connection.is_idle() || connection.is_closed || !connection.is_counted_as_used) return;
  note_use(connection);
  connection.idle_since = now_;
  auto& node = connection.node();
  if (&connection != node.main.get() || was_closed_ || node.node->has_left()) mark_dirty(node);
}

void Engine::Implementation::note_use(LoopConnection& connection) {
  const bool is_used = !connection.is_idle();
  if (std::exchange(connection.is_counted_as_used, is_used) == is_used) return;
  is_used ? in_use_.fetch_add(1, std::memory_order_relaxed) : in_use_.fetch_sub(1, std::memory_order_relaxed);
}

// A peer that keeps sending must not keep the loop.
Result<void> Engine::Implementation::receive_all(LoopConnection& connection) {
  for (int reads = 0; reads < most_reads_at_once; ++reads) {
    auto more = within_memory([&] { return connection.receive(std::span(received_.get(), most_received_at_once)); });
    if (!more) return std::unexpected(std::move(more.error()));
    if (auto taken = take_answered(connection); !taken) return taken;
    if (!*more || connection.is_closed) return {};
  }
  if (!std::exchange(connection.is_unread, true)) unread_.push_back(&connection);
  return {};
}

Result<void> Engine::Implementation::take_answered(LoopConnection& connection) {
  for (;;) {
    auto answered = within_memory([&] { return connection.next_answered(); });
    if (!answered) return std::unexpected(std::move(answered.error()));
    if (!*answered) return {};
    hand_out(connection, **answered);
    retire_flight(std::move(*answered));
    if (connection.is_closed) return {};
  }
}

// A reply that says that the server cannot be used as it was is told as `unavailable`, and no connection to it is used
// again. The budget is charged once, however many calls there are.
void Engine::Implementation::hand_out(LoopConnection& connection, PassengerFlight& aboard) {
  auto& node = connection.node();
  auto& replies = aboard.flight.replies();
  note_landed(aboard);
  node.batch_limit.note(aboard.flight.calls(), aboard.flight.reply_bytes());
  std::optional<Error> failure;
  bool may_repeat = false;
  std::size_t first = 0;
  for (const auto& passenger : aboard.passengers) {
    const auto own = std::span(replies).subspan(first, passenger.replies());
    first += own.size();
    const auto refusal = std::ranges::find_if(own, [](const Reply& reply) {
      return reply.is_error() && verdict_for(reply, {}).drops != Verdict::Drops::none;
    });
    if (refusal != own.end() && !failure) {
      failure = error_from(ErrorCode::unavailable, [&] { return error_of(*refusal); });
      may_repeat = goes_on(verdict_for(*refusal, {}), client_->budget());
    }
    if (passenger.call == nullptr) {
      unanswered_.fetch_sub(passenger.weight(), std::memory_order_relaxed);
      continue;
    }
    auto& call = *passenger.call;
    call.flight_ = nullptr;
    if (refusal != own.end()) {
      fail(call, {.error = error_from(ErrorCode::unavailable, [&] { return error_of(*refusal); }),
                  .came_from_server = true,
                  .may_repeat = may_repeat});
    } else {
      within_memory_of(call, [&] { take_replies(call, passenger, own, connection, aboard.sent_at); });
    }
  }
  if (!failure) return client_->budget().earn(aboard.flight.calls());
  suspect_others(node);
  lose(connection, *failure, may_repeat);
}

// An error of one reply is of its own call; the others were not at fault, and are sent again. Otherwise the server, or
// the way to it, is in doubt. Replies that were too large together are nobody's fault: the one that was next is asked
// for alone. `may_repeat`: what was decided when the budget was charged.
void Engine::Implementation::lose(LoopConnection& connection, const Error& error, std::optional<bool> may_repeat) {
  auto& node = connection.node();
  auto& flights = connection.in_flight();
  connection.reset();
  close_connection(node, connection, error.message);
  const auto verdict = verdict_for(error);
  const auto* blamed = find_blamed(connection, error);
  const bool is_of_one = blamed != nullptr;
  if (is_of_one && is_out_of_memory(error) && flights.front()->passengers.size() > 1) {
    node.batch_limit.note(flights.front()->flight.answered(), flights.front()->flight.reply_bytes());
    if (blamed->call != nullptr) blamed->call->goes_alone_ = true;
    blamed = nullptr;
  }
  if (!may_repeat) may_repeat = !is_of_one && !flights.empty() && goes_on(verdict, client_->budget());
  if (verdict.drops == Verdict::Drops::all) suspect_others(node);
  // The last first, since each is put back in front of those behind it.
  for (std::size_t i = flights.size(); i-- > 0;) {
    auto& flight = *flights[i];
    note_landed(flight);
    const bool was_sent = connection.was_sent(flight);
    const bool is_late = now_ >= flight.sent_at + client_->timeouts().command;
    if (!was_sent || is_of_one) {
      put_back(flight, i == 0 ? blamed : nullptr, was_sent);
      if (i == 0 && blamed != nullptr) lose_flight(flight, error, false, false);
    } else if (error.code == ErrorCode::timeout && !is_late) {
      lose_flight(flight, error_from(ErrorCode::unavailable, closed_behind_another), *may_repeat, true);
    } else {
      lose_flight(flight, error, *may_repeat, false);
    }
    retire_flight(std::move(flights[i]));
  }
  flights.clear();
  mark_dirty(node);
}

// Whose reply the error is about; null if it is about the connection.
const Passenger* Engine::Implementation::find_blamed(LoopConnection& connection, const Error& error) {
  const auto& flights = connection.in_flight();
  const bool is_of_one = verdict_for(error).drops == Verdict::Drops::one || is_out_of_memory(error);
  return is_of_one && !flights.empty() ? flights.front()->next_to_answer() : nullptr;
}

// Of those that are still aboard.
void Engine::Implementation::lose_flight(PassengerFlight& flight, const Error& error, bool may_repeat,
                                         bool may_have_acted) {
  for (const auto& passenger : flight.passengers) {
    if (passenger.call == nullptr) {
      unanswered_.fetch_sub(passenger.weight(), std::memory_order_relaxed);
      continue;
    }
    passenger.call->flight_ = nullptr;
    fail(*passenger.call, {.error = copy_of(error),
                           .came_from_server = true,
                           .may_repeat = may_repeat,
                           .may_have_acted = may_have_acted});
  }
}

// All but one wait again, in front of the others.
void Engine::Implementation::put_back(PassengerFlight& flight, const Passenger* but, bool was_sent) {
  for (auto& passenger : flight.passengers | std::views::reverse) {
    if (&passenger == but) continue;
    const auto [call, weight] = std::pair(passenger.call, passenger.weight());
    passenger = {.call = nullptr, .commands = 0};
    if (call == nullptr) {
      unanswered_.fetch_sub(weight, std::memory_order_relaxed);
      continue;
    }
    call->flight_ = nullptr;
    call->may_have_acted_ = call->may_have_acted_ || was_sent;
    wait_in_front(*call);
  }
}

void Engine::Implementation::wait_in_front(EngineCall& call) {
  if (was_closed_) return end(call, std::unexpected(error_from(ErrorCode::closed, closed_error)));
  enqueue(call, call.replica_ ? call.replica_ : call.node_);
  auto& queue = *call.queue_;
  queue.remove(call);
  queue.push_front(call);
}

}}}  // namespace obol::v0::redis
