#include "redis/core/call_machine.hpp"

namespace obol { inline namespace v0 { namespace redis {

using Action = CallMachine::Action;
using Next = Verdict::Next;

Action CallMachine::not_located(Error error, TimePoint now) {
  const bool may_pass = is_transient(error);
  failure_ = {.error = std::move(error)};
  return may_pass ? repeat(Next::after_pause, now) : give_up();
}

Action CallMachine::refused(std::span<const Reply> replies, std::span<const Command> commands, const Reply& refusal) {
  const auto index = static_cast<std::size_t>(&refusal - replies.data());
  const auto command = commands[index].name();
  const auto verdict = verdict_for(refusal, rules_, command);
  failure_ = {.error = error_of(refusal, command), .names_no_server = true};
  drops_ = verdict.drops;
  const bool loads = verdict.next == Next::load_functions || verdict.next == Next::load_scripts;
  if (!loads) forget_next_node();
  if (!goes_on(verdict, budget_)) return give_up();
  if (loads) return verdict.next == Next::load_functions ? Action::load_functions : Action::load_scripts;
  if (verdict.next != Next::redirect) return Action::learn;
  was_split_ = was_split_ || index > 0;
  redirect_ = redirect_of(refusal);
  failure_->error = {ErrorCode::unavailable, "the cluster is moving this user's slot; try again soon"};
  return Action::follow;
}

Action CallMachine::failed(CallFailure failure, bool node_has_left, TimePoint now) {
  forget_next_node();
  drops_ = Verdict::Drops::none;
  may_have_acted_ = may_have_acted_ || failure.may_have_acted;
  if (!failure.came_from_server && failure_ && (now >= deadline_ || says_wrongly_not_sent(failure))) return give_up();
  if (!failure.came_from_server) failure.error = not_sent(std::move(failure.error));
  if (failure.error.code == ErrorCode::timeout) {
    sharing_ = Sharing::alone;
    may_have_acted_ = true;
  }
  if (verdict_for_unsent(failure.error, node_has_left).next == Next::immediately) {
    failure_ = {.error = {ErrorCode::unavailable, "the server has left the cluster; try again soon"},
                .names_no_server = true};
    return repeat(Next::immediately, now);
  }
  failure_ = {.error = std::move(failure.error), .names_no_server = failure.came_from_server};
  return failure.may_repeat ? Action::learn : give_up();
}

Action CallMachine::followed(bool is_found, TimePoint now) {
  has_next_node_ = is_found;
  asks_ = is_found && redirect_->kind == Redirect::Kind::ask;
  return repeat(is_found ? Next::immediately : Next::after_pause, now);
}

// The node that lacked them is the next one, with ASKING again if it was asked so.
Action CallMachine::loaded(TimePoint now) {
  has_next_node_ = true;
  return repeat(Next::immediately, now);
}

Action CallMachine::not_loaded(CallFailure failure, bool node_has_left, TimePoint now) {
  // The command itself was refused.
  failure.came_from_server = false;
  return failed(std::move(failure), node_has_left, now);
}

Action CallMachine::repeat(Next next, TimePoint now) {
  if (next == Next::immediately && ++times_at_once_ <= most_at_once && now < deadline_) return next_attempt();
  resume_at_ = now + backoff_.next();
  return resume_at_ < deadline_ ? Action::pause : give_up();
}

Action CallMachine::too_late() {
  if (!failure_) failure_ = {.error = too_late_to_send()};
  return give_up();
}

Action CallMachine::give_up() {
  auto& error = failure_->error;
  if (may_have_acted_ && (error.code == ErrorCode::unavailable || error.code == ErrorCode::pool_timeout)) {
    error.code = ErrorCode::timeout;
    error.message += " (an earlier attempt was not answered; it is not known whether the server acted)";
  }
  return Action::finish;
}

// `pool_timeout` says that the command was not sent.
bool CallMachine::says_wrongly_not_sent(const CallFailure& failure) const {
  return failure.error.code == ErrorCode::pool_timeout && failure_->names_no_server;
}

void CallMachine::forget_next_node() {
  has_next_node_ = false;
  asks_ = false;
}

}}}  // namespace obol::v0::redis
