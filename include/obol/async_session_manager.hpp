// A session manager for programs that run on an event loop.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "obol/async_call.hpp"
#include "obol/async_session_store.hpp"
#include "obol/error.hpp"
#include "obol/export.hpp"
#include "obol/keyring.hpp"
#include "obol/session.hpp"
#include "obol/session_manager.hpp"

namespace obol { inline namespace v0 {

/// SessionManager without waiting: the same options, decisions, answers and errors, over any AsyncSessionStore. Its
/// calls are begun, awaited and cancelled as those of the store are (AsyncCall, CallOptions), and the host drives the
/// store. What needs no call of the store, such as `authenticate` by the token alone, is known at once.
///
/// A call makes one call of the store after the other, each in the thread in which its handler runs. Its time limit is
/// that of the store and covers them all. If it is cancelled, the store's call under way is, and none is begun any
/// more. `options.observer` is told in these threads; so is a PayloadChange called. If that throws, the call ends with
/// `invalid_argument` and stores nothing.
///
/// Calls may be begun in any thread while the manager lives. Calls that have not ended when it is destroyed end with
/// what the store's call under way replies, or with `closed` if they need another one. The destructor gives its share
/// of the store up; if that is the last one, what the store says of its own destructor holds for this one. In a forked
/// child every call fails with `closed`.
class OBOL_EXPORT AsyncSessionManager {
 public:
  /// Fails with `invalid_argument` if options are missing or contradict each other. Nobody may move the store away from
  /// `*store` afterwards.
  static Result<AsyncSessionManager> create(std::shared_ptr<AsyncSessionStore> store, SessionManagerOptions options);

  /// Not thread-safe. A manager that was moved from may only be destroyed or assigned to.
  AsyncSessionManager(AsyncSessionManager&&) noexcept;
  /// Not thread-safe.
  AsyncSessionManager& operator=(AsyncSessionManager&&) noexcept;
  ~AsyncSessionManager();

  /// See SessionManager::log_in.
  AsyncCall<Result<LoggedIn>> log_in(std::string user_id, std::string extra_payload,
                                     std::chrono::sys_seconds credentials_read_at, CallOptions options = {});

  /// See SessionManager::authenticate.
  AsyncCall<Result<std::optional<Authenticated>>> authenticate(std::string access_token, CallOptions options = {});
  /// See SessionManager::authenticate.
  AsyncCall<Result<std::optional<Authenticated>>> authenticate(std::string access_token, AccessCheck check,
                                                               CallOptions options = {});

  /// See SessionManager::refresh.
  AsyncCall<Result<std::optional<LoggedIn>>> refresh(std::string refresh_token, CallOptions options = {});
  /// See SessionManager::refresh. What `change` refers to must live until the call has ended.
  AsyncCall<Result<std::optional<LoggedIn>>> refresh(std::string refresh_token, PayloadChange change,
                                                     CallOptions options = {});

  /// See SessionManager::secure.
  AsyncCall<Result<std::optional<LoggedIn>>> secure(Session session, CallOptions options = {});
  /// See SessionManager::secure. What `change` refers to must live until the call has ended.
  AsyncCall<Result<std::optional<LoggedIn>>> secure(Session session, PayloadChange change, CallOptions options = {});

  /// See SessionManager::touch.
  AsyncCall<Result<std::optional<Session>>> touch(Session session, CallOptions options = {});

  /// See SessionManager::list.
  AsyncCall<Result<std::vector<Session>>> list(std::string user_id, CallOptions options = {});

  /// See SessionManager::log_out.
  AsyncCall<Result<Deleted>> log_out(SessionKey session, CallOptions options = {});
  /// See SessionManager::log_out_others.
  AsyncCall<Result<Deleted>> log_out_others(SessionKey keep, CallOptions options = {});
  /// See SessionManager::log_out_everywhere.
  AsyncCall<Result<Deleted>> log_out_everywhere(std::string user_id, CallOptions options = {});

  /// See SessionManager::replace_keyring. Thread-safe.
  Result<void> replace_keyring(Keyring keyring);

  /// Returns the options, for example for the lifetime of cookies. Their keyring is empty, since it may be replaced.
  const SessionManagerOptions& options() const noexcept;

 private:
  class Implementation;
  explicit AsyncSessionManager(std::unique_ptr<Implementation> implementation) noexcept;
  std::unique_ptr<Implementation> implementation_;
};

}}  // namespace obol::v0
