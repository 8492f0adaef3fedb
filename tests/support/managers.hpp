// Session managers for suites that run on both kinds: an AsyncSessionManager behind functions that block.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "obol/async_session_manager.hpp"
#include "obol/session_manager.hpp"
#include "support/blocking_facade.hpp"

namespace obol::testing {

/// `Driving` as that of BlockingFacade.
template <class Driving>
class ManagerFacade {
 public:
  template <class... Arguments>
  static Result<std::unique_ptr<ManagerFacade>> create(const std::shared_ptr<AsyncSessionStore>& store,
                                                       SessionManagerOptions options, Arguments&&... of_driving) {
    auto manager = AsyncSessionManager::create(store, std::move(options));
    if (!manager) return std::unexpected(std::move(manager.error()));
    return std::make_unique<ManagerFacade>(store, std::move(*manager), std::forward<Arguments>(of_driving)...);
  }
  template <class... Arguments>
  ManagerFacade(std::shared_ptr<AsyncSessionStore> store, AsyncSessionManager manager, Arguments&&... of_driving)
      : store_(std::move(store)),
        driving_(*store_, std::forward<Arguments>(of_driving)...),
        manager_(std::move(manager)) {}

  auto log_in(std::string user_id, std::string extra_payload, std::chrono::sys_seconds credentials_read_at) {
    return outcome_of(
        manager_.log_in(std::move(user_id), std::move(extra_payload), credentials_read_at, driving_.options()));
  }
  auto authenticate(std::string_view token) {
    return outcome_of(manager_.authenticate(std::string(token), driving_.options()));
  }
  auto authenticate(std::string_view token, AccessCheck check) {
    return outcome_of(manager_.authenticate(std::string(token), check, driving_.options()));
  }
  auto refresh(std::string_view token, const PayloadChange& change = {}) {
    return outcome_of(manager_.refresh(std::string(token), change, driving_.options()));
  }
  auto secure(Session session, const PayloadChange& change = {}) {
    return outcome_of(manager_.secure(std::move(session), change, driving_.options()));
  }
  auto touch(Session session) { return outcome_of(manager_.touch(std::move(session), driving_.options())); }
  auto list(std::string_view user_id) { return outcome_of(manager_.list(std::string(user_id), driving_.options())); }
  auto log_out(const SessionKey& session) { return outcome_of(manager_.log_out(session, driving_.options())); }
  auto log_out_others(const SessionKey& keep) { return outcome_of(manager_.log_out_others(keep, driving_.options())); }
  auto log_out_everywhere(std::string_view user_id) {
    return outcome_of(manager_.log_out_everywhere(std::string(user_id), driving_.options()));
  }
  auto replace_keyring(Keyring keyring) { return manager_.replace_keyring(std::move(keyring)); }
  const SessionManagerOptions& options() const { return manager_.options(); }

 private:
  template <class T>
  T outcome_of(AsyncCall<T> call) {
    return driving_.outcome_of(std::move(call));
  }

  const std::shared_ptr<AsyncSessionStore> store_;
  Driving driving_;
  AsyncSessionManager manager_;
};

inline std::unique_ptr<SessionManager> make_manager(std::shared_ptr<SessionStore> store,
                                                    SessionManagerOptions options) {
  return std::make_unique<SessionManager>(SessionManager::create(std::move(store), std::move(options)).value());
}

template <class Driving>
std::unique_ptr<ManagerFacade<Driving>> make_manager(const std::shared_ptr<AsyncSessionStore>& store,
                                                     SessionManagerOptions options) {
  return ManagerFacade<Driving>::create(store, std::move(options)).value();
}

}  // namespace obol::testing
