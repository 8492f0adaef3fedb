#include "store/write_operations.hpp"

#include <algorithm>
#include <iterator>

#include "store/upsert_errors.hpp"

namespace obol { inline namespace v0 {

UpsertOperation::UpsertOperation(WriteContext context, Session& session, std::vector<std::string>& evicted,
                                 WriteOutcome& outcome)
    : write_(std::move(context), session, outcome), evicted_(evicted), step_(first_step(session, write_.policy())) {}

UpsertOperation::Step UpsertOperation::first_step(const Session& session, const SessionPolicy& policy) {
  if (session.lock_version > 0) return Step::update;
  const bool is_managed = policy.max_sessions > 0 || policy.revocation_mark_lifetime.count() > 0;
  return is_managed ? Step::managed_create : Step::create;
}

redis::Command UpsertOperation::make_write(bool checks_clock) const {
  const auto& session = write_.session();
  const auto sealed = write_.sealed(session.id);
  if (step_ == Step::create) return create_command(write_.stored_key(), sealed);
  if (step_ == Step::update) return update_command(write_.stored_key(), sealed, checks_clock);
  return managed_create_command(write_.stored_key(), sealed, session.created_at, write_.policy(), counting_,
                                checks_clock);
}

std::optional<Request> UpsertOperation::take(const Answer& answer) {
  switch (step_) {
    case Step::update:
      write_.take_replaced(answer);
      break;
    case Step::create:
      return take_created(answer);
    case Step::compare:
      take_standing(answer);
      break;
    case Step::managed_create:
      return take_managed(answer);
    case Step::thin_out:
      return take_thinned(answer);
  }
  return std::nullopt;
}

std::optional<Request> UpsertOperation::take_created(const Answer& answer) {
  const auto created = create_result(answer.replies.front());
  if (!created) {
    fail(created.error());
  } else if (*created) {
    write_.store_unless(answer.is_past);
  } else {
    return ask(Step::compare, get_command(write_.stored_key(), write_.session().id));
  }
  return std::nullopt;
}

void UpsertOperation::take_standing(const Answer& answer) {
  const auto standing = get_result(answer.replies.front());
  if (!standing) return fail(standing.error());
  write_.compare(*standing, answer.now);
}

std::optional<Request> UpsertOperation::take_managed(const Answer& answer) {
  auto result = managed_create_result(answer.replies.front());
  if (!result) {
    fail(std::move(result.error()));
    return std::nullopt;
  }
  switch (result->outcome) {
    case CreateResult::Outcome::stored:
      std::ranges::move(result->evicted, std::back_inserter(evicted_));
      write_.store_unless(false);
      break;
    case CreateResult::Outcome::conflict:
      write_.lose_to(result->sealed, answer.now);
      break;
    case CreateResult::Outcome::revoked:
      write_.fail(revoked());
      break;
    case CreateResult::Outcome::expired:
      write_.fail_as_expired();
      break;
    case CreateResult::Outcome::full:
      write_.fail(too_many_sessions());
      break;
    case CreateResult::Outcome::crowded:
      return make_room();
  }
  return std::nullopt;
}

// Only said to a create that lets the server say so, and only if there is a maximum.
std::optional<Request> UpsertOperation::make_room() {
  if (counting_ == Counting::always || write_.policy().max_sessions == 0) {
    fail(unexpected_reply().error());
    return std::nullopt;
  }
  const auto& thinning_out = thinning_out_.emplace(write_.policy());
  return ask(Step::thin_out, thinning_out.command(write_.stored_key()));
}

std::optional<Request> UpsertOperation::take_thinned(const Answer& answer) {
  auto thinned = thin_out_result(answer.replies.front());
  if (!thinned) {
    fail(std::move(thinned.error()));
    return std::nullopt;
  }
  std::ranges::move(thinned->evicted, std::back_inserter(evicted_));
  switch (thinning_out_->take(std::move(*thinned))) {
    case ThinningOut::Next::step:
      return ask(Step::thin_out, thinning_out_->command(write_.stored_key()));
    case ThinningOut::Next::done:
      step_ = Step::managed_create;
      counting_ = Counting::always;
      return write_.request();
    case ThinningOut::Next::refused:
      write_.fail(too_many_sessions());
      break;
    case ThinningOut::Next::endless:
      fail(unexpected_reply().error());
      break;
  }
  return std::nullopt;
}

std::optional<Request> UpsertOperation::ask(Step step, redis::Command command) {
  step_ = step;
  command_ = std::move(command);
  return Request{.key = write_.stored_key(), .commands = {&command_, 1}};
}

RotateOperation::RotateOperation(WriteContext context, Session& session, std::string new_id, Now now,
                                 WriteOutcome& outcome)
    : write_(std::move(context), session, outcome),
      new_id_(std::move(new_id)),
      mark_(revocation_mark(write_.policy(), Operation::rotate_id, now)) {}

redis::Command RotateOperation::make_write(bool checks_clock) const {
  return rotate_command(write_.stored_key(), write_.session().id, write_.sealed(new_id_), mark_, checks_clock);
}

std::optional<Request> RotateOperation::take(const Answer& answer) {
  if (write_.take_replaced(answer)) write_.session().id = std::move(new_id_);
  return std::nullopt;
}

}}  // namespace obol::v0
