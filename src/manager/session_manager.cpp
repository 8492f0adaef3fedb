// Runs the flows of a session manager over a store that blocks.
#include "obol/session_manager.hpp"

#include <string>
#include <utility>
#include <variant>

#include "manager/flows.hpp"
#include "manager/session_issuer.hpp"
#include "manager/store_calls.hpp"
#include "store/written_session.hpp"

namespace obol { inline namespace v0 {
namespace {

/// A store that blocks, with the functions of an asynchronous one.
class BlockingCalls {
 public:
  explicit BlockingCalls(SessionStore& store) : store_(store) {}

  auto get(const SessionKey& key) { return store_.get(key); }
  auto upsert(Session session) { return upserted(store_, std::move(session)); }
  auto rotate_id(Session session) { return with_new_id(store_, std::move(session)); }
  auto delete_one(const SessionKey& key) { return store_.delete_one(key); }
  auto delete_others(const SessionKey& keep) { return store_.delete_others(keep); }
  auto get_all(const std::string& user_id, const std::string& type) { return store_.get_all(user_id, type); }

 private:
  SessionStore& store_;
};

template <class Flow>
typename Flow::Outcome run(SessionStore& store, Flow flow) {
  BlockingCalls calls(store);
  auto step = flow.begin();
  while (auto* request = std::get_if<typename Flow::Request>(&step)) {
    step = flow.receive(
        std::visit([&](auto& each) { return manager::reply_of(manager::make_call(calls, each)); }, *request));
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
  if (auto valid = manager::validate(store != nullptr, options); !valid)
    return std::unexpected(std::move(valid.error()));
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
  return run(*implementation_->store, manager::ListFlow(implementation_->issuer, std::string(user_id)));
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
