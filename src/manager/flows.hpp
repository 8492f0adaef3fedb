// What a session manager does, call by call, as state machines without store, lock or thread: a flow says what to ask
// the store next, is told the reply, and at last has its outcome. Blocking and asynchronous managers run the same ones.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "manager/session_issuer.hpp"
#include "obol/session_manager.hpp"
#include "obol/session_store.hpp"
#include "sealing/web_token.hpp"

namespace obol { inline namespace v0 { namespace manager {

struct GetSession {
  SessionKey key;
};
struct UpsertSession {
  Session session;
};
struct RotateSessionId {
  Session session;
};
struct DeleteSession {
  SessionKey key;
};
struct DeleteOtherSessions {
  SessionKey keep;
};

struct GetAllSessions {
  std::string user_id;
  std::string type;
};

/// A call of the store.
using StoreRequest = std::variant<GetSession, UpsertSession, RotateSessionId, DeleteSession, DeleteOtherSessions>;

/// Its outcome: of a get what it found, of a write the session as it is stored, of a delete nothing.
using StoreReply = std::expected<std::optional<Session>, UpsertError>;

/// What comes next: a call of the store, or the outcome.
template <class Outcome, class Request = StoreRequest>
using Step = std::variant<Request, Outcome>;

/// What a flow about one session asks the store, and is told.
struct SessionFlow {
  using Request = StoreRequest;
  using Reply = StoreReply;
};

/// A session and new tokens, or "not logged in".
using LogInOutcome = Result<std::optional<LoggedIn>>;

/// `log_in`: one write.
class LogInFlow : public SessionFlow {
 public:
  using Outcome = Result<LoggedIn>;
  LogInFlow(const SessionIssuer& issuer, std::string user_id, std::string extra_payload,
            std::chrono::sys_seconds credentials_read_at);

  Step<Outcome> begin();
  Step<Outcome> receive(StoreReply reply);

 private:
  const SessionIssuer& issuer_;
  std::string user_id_;
  std::string extra_payload_;
  std::chrono::sys_seconds credentials_read_at_;
};

/// `authenticate`: one read, or nothing. The token must live until begin() has returned.
class AuthenticateFlow : public SessionFlow {
 public:
  using Outcome = Result<std::optional<Authenticated>>;
  AuthenticateFlow(const SessionIssuer& issuer, std::string_view access_token, AccessCheck check);

  Step<Outcome> begin();
  Step<Outcome> receive(StoreReply reply);

 private:
  const SessionIssuer& issuer_;
  std::string_view presented_;
  std::optional<sealing::TokenClaims> token_;
  AccessCheck check_;
};

/// How often a write is tried again because others were faster.
constexpr int max_attempts = 16;

/// `refresh`: a read, and a write if it begins a generation or changes the payload. A reused token ends the session.
/// The token must live until begin() has returned.
class RefreshFlow : public SessionFlow {
 public:
  using Outcome = LogInOutcome;
  RefreshFlow(const SessionIssuer& issuer, std::string_view refresh_token, PayloadChange change);

  Step<Outcome> begin();
  Step<Outcome> receive(StoreReply reply);

 private:
  enum class Asked { read, write, end };

  Step<Outcome> judge(Session session);
  Step<Outcome> write(Session session, RefreshDecision decision);
  Step<Outcome> wrote(StoreReply reply);
  Step<Outcome> refuse_reuse();

  const SessionIssuer& issuer_;
  std::string_view presented_;
  std::optional<sealing::TokenClaims> token_;
  PayloadChange change_;
  Asked asked_ = Asked::read;
  int attempts_left_ = max_attempts;
};

/// `secure`: the other sessions first, so that a failure leaves the caller its tokens; then the new id.
class SecureFlow : public SessionFlow {
 public:
  using Outcome = LogInOutcome;
  SecureFlow(const SessionIssuer& issuer, Session session, PayloadChange change);

  Step<Outcome> begin();
  Step<Outcome> receive(StoreReply reply);

 private:
  Step<Outcome> rotate();

  const SessionIssuer& issuer_;
  Session session_;
  PayloadChange change_;
  bool others_have_ended_ = false;
  int attempts_left_ = max_attempts;
};

/// `touch`: one write, or nothing.
class TouchFlow : public SessionFlow {
 public:
  using Outcome = Result<std::optional<Session>>;
  TouchFlow(const SessionIssuer& issuer, Session session);

  Step<Outcome> begin();
  Step<Outcome> receive(StoreReply reply);

 private:
  const SessionIssuer& issuer_;
  Session session_;
  int attempts_left_ = max_attempts;
};

/// `list`: one read.
class ListFlow {
 public:
  using Outcome = Result<std::vector<Session>>;
  using Request = std::variant<GetAllSessions>;
  using Reply = Result<std::vector<Session>>;
  ListFlow(const SessionIssuer& issuer, std::string user_id);

  Step<Outcome, Request> begin();
  Step<Outcome, Request> receive(Reply reply);

 private:
  const SessionIssuer& issuer_;
  std::string user_id_;
};

}}}  // namespace obol::v0::manager
