// Knows the place of each question of our own among the replies.
#include "redis/core/connection_state.hpp"

#include <algorithm>
#include <utility>

#include "redis/protocol/hello.hpp"
#include "redis/protocol/reply_error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {

ConnectionState::ConnectionState(std::size_t max_reply_bytes, std::chrono::milliseconds role_interval)
    : reader_(max_reply_bytes), role_interval_(role_interval) {}

void ConnectionState::begin(const Introduction& introduction, Time greeted_at) {
  introduction_ = introduction;
  role_asked_at_ = greeted_at;
}

void ConnectionState::keep_authenticated(CredentialsGeneration generation) { reauthentication_.begin(generation); }

bool ConnectionState::must_authenticate(CredentialsGeneration current, Time now) const {
  return reauthentication_.is_due(current, now);
}

std::string ConnectionState::questions_due(Time now, const std::optional<CurrentCredentials>& renewed,
                                           std::size_t unanswered) {
  const bool role_is_due = introduction_.peer == Peer::primary && now - role_asked_at_ >= role_interval_;
  return role_is_due ? questions(now, renewed, unanswered) : authentication_of(renewed, now, unanswered);
}

std::string ConnectionState::questions(Time now, const std::optional<CurrentCredentials>& renewed,
                                       std::size_t unanswered) {
  auto questions = authentication_of(renewed, now, unanswered);
  role_asked_at_ = now;
  await(Question::role, unanswered);
  return questions.append(role_question(introduction_.role_source).bytes());
}

std::string ConnectionState::authentication_of(const std::optional<CurrentCredentials>& renewed, Time now,
                                               std::size_t unanswered) {
  if (!renewed) return {};
  auto command = reauthentication_.command(*renewed, now);
  if (!command.empty()) await(Question::authentication, unanswered);
  return command;
}

void ConnectionState::await(Question question, std::size_t unanswered) {
  for (const auto& earlier : questions_) unanswered -= std::min(unanswered, earlier.behind);
  questions_.push_back({.question = question, .behind = unanswered});
}

Result<std::optional<Reply>> ConnectionState::next_reply() {
  for (;;) {
    auto reply = next_of_any();
    if (!reply || !*reply) return reply;
    const auto owner = take_if_own(**reply);
    if (!owner) return std::unexpected(owner.error());
    if (*owner == Owner::command) return reply;
  }
}

Result<bool> ConnectionState::take_answers() {
  while (!questions_.empty()) {
    const auto reply = next_of_any();
    if (!reply) return std::unexpected(reply.error());
    if (!*reply) return false;
    if (const auto owner = take_if_own(**reply); !owner) return std::unexpected(owner.error());
  }
  return true;
}

Result<std::optional<Reply>> ConnectionState::next_of_any() {
  if (failure_) return std::unexpected(copy_of(*failure_));
  auto reply = reader_.next();
  if (!reply) failure_ = copy_of(reply.error());
  return reply;
}

Result<ConnectionState::Owner> ConnectionState::take_if_own(const Reply& reply) {
  if (reply.kind == Reply::Kind::push) {
    if (take_push_) {
      take_push_(reply);
    } else {
      reader_.count_as_waste();
    }
    return Owner::connection;
  }
  if (questions_.empty()) return Owner::command;
  auto& next = questions_.front();
  if (next.behind > 0) {
    --next.behind;
    return Owner::command;
  }
  if (next.question == Question::authentication) {
    reauthentication_.take_reply(reply);
  } else if (auto role = check_role(reply); !role) {
    failure_ = copy_of(role.error());
    return std::unexpected(std::move(role.error()));
  }
  questions_.erase(questions_.begin());
  return Owner::connection;
}

// The answers of the commands behind the question count only once the role is known.
Result<void> ConnectionState::check_role(const Reply& role) const {
  if (role.is_error()) {
    auto error = error_of(role, role_question(introduction_.role_source).name());
    // Also if it is this connection alone that is not authenticated any more.
    if (remedy_for(role) == Remedy::reconnect) error.code = ErrorCode::unavailable;
    return std::unexpected(std::move(error));
  }
  if (identity_.is_known() && client_id_in(role) != introduction_.client_id) {
    return std::unexpected(Error{ErrorCode::unavailable, "a proxy in between moved the connection to another server"});
  }
  return check_primary(role, introduction_.role_source);
}

// The number of the connection, which HELLO tells with the role, shows that no proxy has moved it.
Result<void> ConnectionState::take_identity(const Reply& reply) {
  if (introduction_.role_source != RoleSource::hello || introduction_.client_id == 0) {
    return std::unexpected(Error{ErrorCode::unsupported_server,
                                 "the reply to HELLO has no role or no id, which the near cache needs; switch "
                                 "near_cache off"});
  }
  const auto identity = identity_answer(reply);
  if (!identity) return std::unexpected(identity.error());
  identity_ = *identity;
  return {};
}

}}}  // namespace obol::v0::redis
