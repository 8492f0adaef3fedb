// A store that does not block, as an asynchronous one.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "obol/async_session_store.hpp"
#include "obol/export.hpp"
#include "obol/session_store.hpp"

namespace obol { inline namespace v0 {

/// What AsyncOver is without the type of its store.
class OBOL_EXPORT AsyncAdapter : public AsyncSessionStore {
 public:
  ~AsyncAdapter() override;

  AsyncCall<Result<std::optional<Session>>> get(SessionKey key, CallOptions options = {}) override;
  AsyncCall<Result<std::vector<std::optional<Session>>>> get_many(std::vector<SessionKey> keys,
                                                                  CallOptions options = {}) override;
  AsyncCall<std::expected<UpsertedSession, UpsertError>> upsert(Session session, CallOptions options = {}) override;
  AsyncCall<std::expected<Session, UpsertError>> rotate_id(Session session, CallOptions options = {}) override;
  AsyncCall<Result<Deleted>> delete_one(SessionKey key, CallOptions options = {}) override;
  AsyncCall<Result<std::vector<Session>>> get_all(std::string user_id, std::string type,
                                                  CallOptions options = {}) override;
  using AsyncSessionStore::delete_all;
  AsyncCall<Result<Deleted>> delete_all(std::string user_id, std::string type, CallOptions options = {}) override;
  AsyncCall<Result<Deleted>> delete_all(std::string user_id, std::vector<std::string> types,
                                        CallOptions options = {}) override;
  AsyncCall<Result<Deleted>> delete_others(SessionKey keep, CallOptions options = {}) override;

  int descriptor() const override;
  void run_ready() override;
  void post(Completion& ended, Executor* executor) noexcept override;

 protected:
  /// See AsyncOver.
  explicit AsyncAdapter(std::shared_ptr<SessionStore> store);
  /// Thread-safe.
  SessionStore& adapted() const noexcept;

 private:
  class Implementation;
  const std::unique_ptr<Implementation> implementation_;
};

/// Makes a store whose functions do not block, such as MemoryStore, an AsyncSessionStore: in the tests of a host it can
/// take the place of AsyncRedisStore, under the same driver and with the same executors. A store that blocks would hold
/// up the thread that begins a call.
///
///     obol::AsyncOver<obol::MemoryStore> sessions;
///     obol::AsyncOver with_policy(std::make_shared<obol::MemoryStore>(obol::MemoryStoreOptions{.policy = policy}));
///
/// The store's function runs when the call begins, in that thread, and so does the store's observer. So a coroutine
/// does not suspend; a handler is called by run_ready() or the executor, and never by the function that begins the
/// call. A call whose stop_token was stopped before fails with `cancelled`; one that has begun cannot be stopped. Time
/// limits have no effect. What the store's function throws leaves the function that begins the call.
///
/// The destructor runs the handlers of calls without an executor that were not told yet, in its thread. What they begin
/// fails with `closed`, as does every call in a forked child.
template <std::derived_from<SessionStore> Store>
class AsyncOver final : public AsyncAdapter {
 public:
  /// Several may share a store, each for another event loop. Throws std::system_error if the operating system gives no
  /// descriptor.
  explicit AsyncOver(std::shared_ptr<Store> store = std::make_shared<Store>()) : AsyncAdapter(std::move(store)) {}

  /// Returns the store. As thread-safe as that.
  Store& store() const noexcept { return static_cast<Store&>(adapted()); }
};

}}  // namespace obol::v0
