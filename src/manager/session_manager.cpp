// Runs the flows of a session manager over a store that blocks.
#include "obol/session_manager.hpp"

#include <algorithm>
#include <tuple>
#include <utility>
#include <variant>

#include "manager/flows.hpp"
#include "manager/session_issuer.hpp"
#include "values/refusal.hpp"

namespace obol { inline namespace v0 {
namespace {

using manager::StoreReply;

std::unexpected<UpsertError> failed(Error&& error) { return std::unexpected(UpsertError{std::move(error)}); }

/// Calls the store for a flow.
class StoreCaller {
 public:
  explicit StoreCaller(SessionStore& store) : store_(store) {}

  StoreReply operator()(manager::GetSession& request) {
    auto session = store_.get(request.key);
    if (!session) return failed(std::move(session.error()));
    return std::move(*session);
  }
  StoreReply operator()(manager::UpsertSession& request) {
    return stored(store_.upsert(request.session), request.session);
  }
  StoreReply operator()(manager::RotateSessionId& request) {
    return stored(store_.rotate_id(request.session), request.session);
  }
  StoreReply operator()(manager::DeleteSession& request) { return deleted(store_.delete_one(request.key)); }
  StoreReply operator()(manager::DeleteOtherSessions& request) { return deleted(store_.delete_others(request.keep)); }

 private:
  template <class Written>
  static StoreReply stored(Written written, Session& session) {
    if (!written) return std::unexpected(std::move(written.error()));
    return std::move(session);
  }
  static StoreReply deleted(Result<Deleted> outcome) {
    if (!outcome) return failed(std::move(outcome.error()));
    return std::nullopt;
  }

  SessionStore& store_;
};

template <class Flow>
typename Flow::Outcome run(SessionStore& store, Flow flow) {
  auto step = flow.begin();
  while (auto* request = std::get_if<manager::StoreRequest>(&step)) {
    step = flow.receive(std::visit(StoreCaller(store), *request));
  }
  return std::get<typename Flow::Outcome>(std::move(step));
}

}  // namespace

class SessionManager::Implementation {
 public:
  Implementation(std::shared_ptr<SessionStore> kept_store, SessionManagerOptions options)
      : store(std::move(kept_store)), issuer(std::move(options)) {}

  const std::shared_ptr<SessionStore> store;
  manager::SessionIssuer issuer;
};

Result<SessionManager> SessionManager::create(std::shared_ptr<SessionStore> store, SessionManagerOptions options) {
  if (!store) return refuse("there is no store; give the manager a RedisStore or a MemoryStore");
  if (auto valid = manager::validate(options); !valid) return std::unexpected(std::move(valid.error()));
  return SessionManager(std::make_unique<Implementation>(std::move(store), std::move(options)));
}

SessionManager::SessionManager(std::unique_ptr<Implementation> implementation) noexcept
    : implementation_(std::move(implementation)) {}
SessionManager::SessionManager(SessionManager&&) noexcept = default;
SessionManager& SessionManager::operator=(SessionManager&&) noexcept = default;
SessionManager::~SessionManager() = default;

Result<LoggedIn> SessionManager::log_in(std::string user_id, std::string extra_payload,
                                        std::chrono::sys_seconds credentials_read_at) {
  return run(*implementation_->store, manager::LogInFlow(implementation_->issuer, std::move(user_id),
                                                         std::move(extra_payload), credentials_read_at));
}

Result<std::optional<Authenticated>> SessionManager::authenticate(std::string_view access_token) {
  return authenticate(access_token, options().access_check);
}

Result<std::optional<Authenticated>> SessionManager::authenticate(std::string_view access_token, AccessCheck check) {
  return run(*implementation_->store, manager::AuthenticateFlow(implementation_->issuer, access_token, check));
}

Result<std::optional<LoggedIn>> SessionManager::refresh(std::string_view refresh_token, const PayloadChange& change) {
  return run(*implementation_->store, manager::RefreshFlow(implementation_->issuer, refresh_token, change));
}

Result<std::optional<LoggedIn>> SessionManager::secure(Session session, const PayloadChange& change) {
  return run(*implementation_->store, manager::SecureFlow(implementation_->issuer, std::move(session), change));
}

Result<std::optional<Session>> SessionManager::touch(Session session) {
  return run(*implementation_->store, manager::TouchFlow(implementation_->issuer, std::move(session)));
}

Result<std::vector<Session>> SessionManager::list(std::string_view user_id) {
  auto sessions = implementation_->store->get_all(user_id, options().session_type);
  if (sessions) {
    std::ranges::sort(*sessions, [](const Session& one, const Session& other) {
      return std::tie(other.refreshed_at, other.created_at, other.id) <
             std::tie(one.refreshed_at, one.created_at, one.id);
    });
  }
  return sessions;
}

Result<Deleted> SessionManager::log_out(const SessionKey& session) {
  return implementation_->store->delete_one(session);
}

Result<Deleted> SessionManager::log_out_others(const SessionKey& keep) {
  return implementation_->store->delete_others(keep);
}

Result<Deleted> SessionManager::log_out_everywhere(std::string_view user_id) {
  return implementation_->store->delete_all(user_id, options().session_type);
}

Result<void> SessionManager::replace_keyring(Keyring keyring) {
  return implementation_->issuer.replace_keyring(std::move(keyring));
}

const SessionManagerOptions& SessionManager::options() const noexcept { return implementation_->issuer.options(); }

}}  // namespace obol::v0
