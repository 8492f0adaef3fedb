// The interface of every asynchronous session store.
#pragma once

#include <expected>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "obol/async_call.hpp"
#include "obol/error.hpp"
#include "obol/executor.hpp"
#include "obol/export.hpp"
#include "obol/session.hpp"
#include "obol/session_store.hpp"

namespace obol { inline namespace v0 {

/// Result of an asynchronous upsert.
struct UpsertedSession : Upserted {
  Session session{};  ///< As it is stored: with its new lock version.
};

/// A SessionStore for programs that run on an event loop: no function waits. The host drives the store:
/// it watches descriptor() and calls run_ready(), or leaves both to a BackgroundDriver. If nobody drives the store, no
/// call ends, not even at its time limit.
///
/// Calls may be begun in any thread, while the store lives. Each one gives the guarantees of the SessionStore function
/// of its name, ends by its time limit and reports failure as a value, also with `cancelled` and `closed`. Arguments
/// are checked when the call begins. A handler runs once, never inside the function that begins the call; an observer
/// is told of the call before that. obol/testing/async_store_conformance.hpp checks every guarantee given here.
///
/// The destructor runs the handlers that have not run. A call that one of them begins fails with `closed`, and its
/// handler runs as well. If handlers go on to begin calls, some rounds later their calls are dropped: the handlers are
/// destroyed without being called. An exception out of a handler that the destructor runs is caught and dropped, and
/// the other handlers run.
class OBOL_EXPORT AsyncSessionStore {
 public:
  AsyncSessionStore() = default;
  AsyncSessionStore(const AsyncSessionStore&) = delete;
  AsyncSessionStore& operator=(const AsyncSessionStore&) = delete;
  virtual ~AsyncSessionStore() = default;

  /// See SessionStore::get.
  virtual AsyncCall<Result<std::optional<Session>>> get(SessionKey key, CallOptions options = {}) = 0;

  /// See SessionStore::get_many.
  virtual AsyncCall<Result<std::vector<std::optional<Session>>>> get_many(std::vector<SessionKey> keys,
                                                                          CallOptions options = {}) = 0;

  /// See SessionStore::upsert. The outcome has the session as it is stored; on any error the caller's copy is still
  /// true.
  virtual AsyncCall<std::expected<UpsertedSession, UpsertError>> upsert(Session session, CallOptions options = {}) = 0;

  /// See SessionStore::rotate_id. The outcome is the session with its new id and lock version.
  virtual AsyncCall<std::expected<Session, UpsertError>> rotate_id(Session session, CallOptions options = {}) = 0;

  /// See SessionStore::delete_one.
  virtual AsyncCall<Result<Deleted>> delete_one(SessionKey key, CallOptions options = {}) = 0;

  /// See SessionStore::get_all.
  virtual AsyncCall<Result<std::vector<Session>>> get_all(std::string user_id, std::string type,
                                                          CallOptions options = {}) = 0;

  /// See SessionStore::delete_all.
  virtual AsyncCall<Result<Deleted>> delete_all(std::string user_id, std::string type, CallOptions options = {}) = 0;

  /// See SessionStore::delete_all.
  virtual AsyncCall<Result<Deleted>> delete_all(std::string user_id, std::vector<std::string> types,
                                                CallOptions options = {}) = 0;

  /// The same for types that are written out: `store.delete_all(user_id, {"full", "pending"})`.
  AsyncCall<Result<Deleted>> delete_all(std::string user_id, std::initializer_list<std::string_view> types,
                                        CallOptions options = {}) {
    return delete_all(std::move(user_id), std::vector<std::string>(types.begin(), types.end()), std::move(options));
  }

  /// See SessionStore::delete_others.
  virtual AsyncCall<Result<Deleted>> delete_others(SessionKey keep, CallOptions options = {}) = 0;

  /// Returns the descriptor to watch: run_ready() has work if it is readable. The same for the life of the store. Only
  /// to be watched (level-triggered), never to be read or closed.
  virtual int descriptor() const = 0;

  /// Does all work that is due, and runs the handlers of calls without an executor. Never blocks. One thread at a time;
  /// not from within a handler of the same store. If a handler throws, the exception leaves this function, and the
  /// handlers behind that one run in the next call.
  virtual void run_ready() = 0;

  /// Completes `ended` as the store completes a call whose outcome is known at once: on the executor, or if that is
  /// null in the thread that drives; never inside this function. For what is built on a store and has outcomes of its
  /// own, such as AsyncSessionManager. Thread-safe.
  virtual void post(Completion& ended, Executor* executor) noexcept = 0;

 protected:
  /// For derived stores that can be moved.
  AsyncSessionStore(AsyncSessionStore&&) = default;
  /// For derived stores that can be moved.
  AsyncSessionStore& operator=(AsyncSessionStore&&) = default;
};

}}  // namespace obol::v0
