// The flows of a session manager.
#include "manager/flows.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "obol/session_limits.hpp"

namespace obol { inline namespace v0 { namespace manager {
namespace {

/// Why a write stored nothing.
enum class Loss {
  none,     ///< It is stored.
  faster,   ///< Another writer was faster, and what it stored is known.
  ended,    ///< The session has ended.
  unknown,  ///< The store failed.
};

Loss loss_of(const StoreReply& reply) {
  if (reply) return Loss::none;
  const auto& code = reply.error().code;
  if (code == ErrorCode::conflict) return reply.error().current ? Loss::faster : Loss::ended;
  return code == ErrorCode::gone || code == ErrorCode::expired ? Loss::ended : Loss::unknown;
}

std::unexpected<Error> failure(UpsertError&& error) { return std::unexpected(static_cast<Error&&>(error)); }

std::unexpected<Error> too_many_conflicts() {
  return std::unexpected(
      Error{ErrorCode::conflict, "the session was changed by others again and again; nothing was stored, try again"});
}

/// New tokens where a call may also answer "not logged in".
LogInOutcome issued(const SessionIssuer& issuer, Session session) {
  auto logged_in = issuer.issue(std::move(session));
  if (!logged_in) return std::unexpected(std::move(logged_in.error()));
  return std::move(*logged_in);
}

LogInOutcome nobody() { return std::optional<LoggedIn>(); }

}  // namespace

LogInFlow::LogInFlow(const SessionIssuer& issuer, std::string user_id, std::string extra_payload,
                     std::chrono::sys_seconds credentials_read_at)
    : issuer_(issuer),
      user_id_(std::move(user_id)),
      extra_payload_(std::move(extra_payload)),
      credentials_read_at_(credentials_read_at) {}

Step<LogInFlow::Outcome> LogInFlow::begin() {
  auto session = issuer_.new_session(std::move(user_id_), std::move(extra_payload_), credentials_read_at_);
  if (!session) return Outcome(std::unexpected(std::move(session.error())));
  return UpsertSession{std::move(*session)};
}

Step<LogInFlow::Outcome> LogInFlow::receive(StoreReply reply) {
  if (!reply) return Outcome(failure(std::move(reply.error())));
  return issuer_.issue(std::move(**reply));
}

AuthenticateFlow::AuthenticateFlow(const SessionIssuer& issuer, std::string_view access_token, AccessCheck check)
    : issuer_(issuer), presented_(access_token), check_(check) {}

Step<AuthenticateFlow::Outcome> AuthenticateFlow::begin() {
  token_ = issuer_.open(sealing::TokenKind::access, presented_);
  if (!token_) return Outcome();
  if (check_ != AccessCheck::token) return GetSession{token_->session};
  return Outcome(Authenticated{.session_key = std::move(token_->session), .expires_at = token_->expires_at});
}

Step<AuthenticateFlow::Outcome> AuthenticateFlow::receive(StoreReply reply) {
  if (!reply) return Outcome(failure(std::move(reply.error())));
  if (!*reply) return Outcome();
  return Outcome(Authenticated{
      .session_key = std::move(token_->session), .expires_at = token_->expires_at, .session = std::move(*reply)});
}

RefreshFlow::RefreshFlow(const SessionIssuer& issuer, std::string_view refresh_token, PayloadChange change)
    : issuer_(issuer), presented_(refresh_token), change_(std::move(change)) {}

Step<LogInOutcome> RefreshFlow::begin() {
  token_ = issuer_.open(sealing::TokenKind::refresh, presented_);
  if (!token_) return nobody();
  return GetSession{token_->session};
}

Step<LogInOutcome> RefreshFlow::receive(StoreReply reply) {
  if (asked_ == Asked::write) return wrote(std::move(reply));
  if (asked_ == Asked::end) issuer_.tell_of_reuse(token_->session, reply.has_value());
  if (!reply) return LogInOutcome(failure(std::move(reply.error())));
  if (!*reply) return nobody();
  return judge(std::move(**reply));
}

Step<LogInOutcome> RefreshFlow::judge(Session session) {
  const auto decision = issuer_.decide(session, *token_);
  switch (decision) {
    case RefreshDecision::join:
      if (!change_) return issued(issuer_, std::move(session));
      [[fallthrough]];
    case RefreshDecision::rotate:
      return write(std::move(session), decision);
    case RefreshDecision::reuse:
      return refuse_reuse();
    case RefreshDecision::expired:
    case RefreshDecision::other_session:
      break;
  }
  return nobody();
}

Step<LogInOutcome> RefreshFlow::write(Session session, RefreshDecision decision) {
  if (attempts_left_-- == 0) return LogInOutcome(too_many_conflicts());
  if (decision == RefreshDecision::rotate) start_generation(session, issuer_.now());
  issuer_.extend(session);
  if (change_) change_(session.extra_payload);
  asked_ = Asked::write;
  return UpsertSession{std::move(session)};
}

// Whoever lost a race is judged by what the winner stored, without another read.
Step<LogInOutcome> RefreshFlow::wrote(StoreReply reply) {
  switch (loss_of(reply)) {
    case Loss::none:
      return issued(issuer_, std::move(**reply));
    case Loss::faster:
      return judge(std::move(*reply.error().current));
    case Loss::ended:
      return nobody();
    case Loss::unknown:
      break;
  }
  return LogInOutcome(failure(std::move(reply.error())));
}

Step<LogInOutcome> RefreshFlow::refuse_reuse() {
  if (issuer_.options().on_reuse == ReuseResponse::end_session) {
    asked_ = Asked::end;
    return DeleteSession{token_->session};
  }
  issuer_.tell_of_reuse(token_->session, false);
  return nobody();
}

SecureFlow::SecureFlow(const SessionIssuer& issuer, Session session, PayloadChange change)
    : issuer_(issuer), session_(std::move(session)), change_(std::move(change)) {}

Step<LogInOutcome> SecureFlow::begin() { return DeleteOtherSessions{session_.key()}; }

Step<LogInOutcome> SecureFlow::receive(StoreReply reply) {
  const auto loss = loss_of(reply);
  if (loss == Loss::ended) return nobody();
  if (loss == Loss::unknown) return LogInOutcome(failure(std::move(reply.error())));
  if (loss == Loss::none && others_have_ended_) return issued(issuer_, std::move(**reply));
  others_have_ended_ = true;
  if (loss == Loss::faster) session_ = std::move(*reply.error().current);
  return rotate();
}

// Tokens of the session's old id open to a session that is not stored, so both generations begin now.
Step<LogInOutcome> SecureFlow::rotate() {
  if (attempts_left_-- == 0) return LogInOutcome(too_many_conflicts());
  Session session = session_;
  session.tokens_fresh_from = issue_time(session, issuer_.now());
  session.prev_tokens_fresh_from = session.tokens_fresh_from;
  issuer_.extend(session);
  if (change_) change_(session.extra_payload);
  return RotateSessionId{std::move(session)};
}

TouchFlow::TouchFlow(const SessionIssuer& issuer, Session session) : issuer_(issuer), session_(std::move(session)) {}

Step<TouchFlow::Outcome> TouchFlow::begin() {
  const auto now = issuer_.now();
  if (end_of_life(session_) <= now) return Outcome();
  if (saturating_add(session_.refreshed_at, issuer_.options().touch_interval) > now)
    return Outcome(std::move(session_));
  if (attempts_left_-- == 0) return Outcome(too_many_conflicts());
  issuer_.extend(session_);
  return UpsertSession{std::move(session_)};
}

Step<TouchFlow::Outcome> TouchFlow::receive(StoreReply reply) {
  switch (loss_of(reply)) {
    case Loss::none:
      return Outcome(std::move(*reply));
    case Loss::faster:
      session_ = std::move(*reply.error().current);
      return begin();
    case Loss::ended:
      return Outcome();
    case Loss::unknown:
      break;
  }
  return Outcome(failure(std::move(reply.error())));
}

ListFlow::ListFlow(const SessionIssuer& issuer, std::string user_id) : issuer_(issuer), user_id_(std::move(user_id)) {}

Step<ListFlow::Outcome, ListFlow::Request> ListFlow::begin() {
  return Request(GetAllSessions{std::move(user_id_), issuer_.options().session_type});
}

// The most recently used first.
Step<ListFlow::Outcome, ListFlow::Request> ListFlow::receive(Reply reply) {
  if (reply) {
    std::ranges::sort(*reply, [](const Session& one, const Session& other) {
      return std::tie(other.refreshed_at, other.created_at, other.id) <
             std::tie(one.refreshed_at, one.created_at, one.id);
    });
  }
  return reply;
}

}}}  // namespace obol::v0::manager
