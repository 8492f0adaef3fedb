// AsyncSessionManager: each function begins a flow over the store, or is a call of the store.
#include "obol/async_session_manager.hpp"

#include <utility>

#include "manager/async_flow_call.hpp"
#include "manager/async_manager_core.hpp"
#include "manager/flows.hpp"
#include "manager/session_issuer.hpp"

namespace obol { inline namespace v0 {

class [[gnu::visibility("hidden")]] AsyncSessionManager::Implementation {
 public:
  Implementation(std::shared_ptr<AsyncSessionStore> store, SessionManagerOptions options)
      : core_(std::make_shared<manager::AsyncManagerCore>(std::move(store), std::move(options))) {}
  ~Implementation() { core_->close(); }
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  template <class Flow, class... Arguments>
  AsyncCall<typename Flow::Outcome> call(CallOptions options, Arguments&&... arguments) {
    return AsyncCall<typename Flow::Outcome>(std::make_unique<manager::AsyncFlowCall<Flow>>(
        core_, std::move(options), std::forward<Arguments>(arguments)...));
  }

  AsyncSessionStore& store() { return core_->store(); }
  Result<void> replace_keyring(Keyring keyring) { return core_->issuer().replace_keyring(std::move(keyring)); }
  const SessionManagerOptions& options() const { return core_->issuer().options(); }

 private:
  const std::shared_ptr<manager::AsyncManagerCore> core_;
};

Result<AsyncSessionManager> AsyncSessionManager::create(std::shared_ptr<AsyncSessionStore> store,
                                                        SessionManagerOptions options) {
  if (auto valid = manager::validate(store != nullptr, options); !valid) {
    return std::unexpected(std::move(valid.error()));
  }
  return AsyncSessionManager(std::make_unique<Implementation>(std::move(store), std::move(options)));
}

AsyncSessionManager::AsyncSessionManager(std::unique_ptr<Implementation> implementation) noexcept
    : implementation_(std::move(implementation)) {}
AsyncSessionManager::AsyncSessionManager(AsyncSessionManager&&) noexcept = default;
AsyncSessionManager& AsyncSessionManager::operator=(AsyncSessionManager&&) noexcept = default;
AsyncSessionManager::~AsyncSessionManager() = default;

AsyncCall<Result<LoggedIn>> AsyncSessionManager::log_in(std::string user_id, std::string extra_payload,
                                                        std::chrono::sys_seconds credentials_read_at,
                                                        CallOptions options) {
  return implementation_->call<manager::LogInFlow>(std::move(options), std::move(user_id), std::move(extra_payload),
                                                   credentials_read_at);
}

AsyncCall<Result<std::optional<Authenticated>>> AsyncSessionManager::authenticate(std::string access_token,
                                                                                  CallOptions options) {
  return authenticate(std::move(access_token), this->options().access_check, std::move(options));
}

AsyncCall<Result<std::optional<Authenticated>>> AsyncSessionManager::authenticate(std::string access_token,
                                                                                  AccessCheck check,
                                                                                  CallOptions options) {
  return implementation_->call<manager::WithToken<manager::AuthenticateFlow>>(std::move(options),
                                                                              std::move(access_token), check);
}

AsyncCall<Result<std::optional<LoggedIn>>> AsyncSessionManager::refresh(std::string refresh_token,
                                                                        CallOptions options) {
  return refresh(std::move(refresh_token), PayloadChange(), std::move(options));
}

AsyncCall<Result<std::optional<LoggedIn>>> AsyncSessionManager::refresh(std::string refresh_token, PayloadChange change,
                                                                        CallOptions options) {
  return implementation_->call<manager::WithToken<manager::RefreshFlow>>(std::move(options), std::move(refresh_token),
                                                                         std::move(change));
}

AsyncCall<Result<std::optional<LoggedIn>>> AsyncSessionManager::secure(Session session, CallOptions options) {
  return secure(std::move(session), PayloadChange(), std::move(options));
}

AsyncCall<Result<std::optional<LoggedIn>>> AsyncSessionManager::secure(Session session, PayloadChange change,
                                                                       CallOptions options) {
  return implementation_->call<manager::SecureFlow>(std::move(options), std::move(session), std::move(change));
}

AsyncCall<Result<std::optional<Session>>> AsyncSessionManager::touch(Session session, CallOptions options) {
  return implementation_->call<manager::TouchFlow>(std::move(options), std::move(session));
}

AsyncCall<Result<std::vector<Session>>> AsyncSessionManager::list(std::string user_id, CallOptions options) {
  return implementation_->call<manager::ListFlow>(std::move(options), std::move(user_id));
}

AsyncCall<Result<Deleted>> AsyncSessionManager::log_out(SessionKey session, CallOptions options) {
  return implementation_->store().delete_one(std::move(session), std::move(options));
}

AsyncCall<Result<Deleted>> AsyncSessionManager::log_out_others(SessionKey keep, CallOptions options) {
  return implementation_->store().delete_others(std::move(keep), std::move(options));
}

AsyncCall<Result<Deleted>> AsyncSessionManager::log_out_everywhere(std::string user_id, CallOptions options) {
  return implementation_->store().delete_all(std::move(user_id), this->options().session_type, std::move(options));
}

Result<void> AsyncSessionManager::replace_keyring(Keyring keyring) {
  return implementation_->replace_keyring(std::move(keyring));
}

const SessionManagerOptions& AsyncSessionManager::options() const noexcept { return implementation_->options(); }

}}  // namespace obol::v0
