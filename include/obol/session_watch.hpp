// Tells a host when a session that it watches has ended, by whichever process.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

#include "obol/error.hpp"
#include "obol/executor.hpp"
#include "obol/export.hpp"
#include "obol/memory_store.hpp"
#include "obol/redis_store_options.hpp"
#include "obol/session.hpp"
#include "obol/session_watch_statistics.hpp"
#include "obol/user_credentials.hpp"

namespace obol { inline namespace v0 {

/// What is known of a watched session.
enum class SessionStatus {
  live,     ///< It is stored. Told only after `unknown`.
  unknown,  ///< Nothing was heard from its server for SessionWatchOptions::max_staleness.
  ended,    ///< It is not stored (any more). Told once; nothing is told after it.
};

/// How a session ended, as far as that can be known.
enum class SessionEnd {
  removed,  ///< Deleted, evicted, or rotated (the session may live on under another id); or it was never stored.
  expired,  ///< It was gone when its lifetime had passed.
};

/// "live", "unknown" or "ended".
OBOL_EXPORT std::string_view to_string(SessionStatus status) noexcept;
/// "removed" or "expired".
OBOL_EXPORT std::string_view to_string(SessionEnd end) noexcept;

/// What a handler is told.
struct SessionWatchEvent {
  SessionStatus status = SessionStatus::live;  ///< What is known from now on.
  SessionEnd end = SessionEnd::removed;        ///< Only if the status is `ended`.

  /// Compares both members.
  bool operator==(const SessionWatchEvent&) const = default;
};

/// Options of a SessionWatch; all have usable defaults.
struct SessionWatchOptions {
  /// If the server or the network falls silent, or the server cannot be reached, the handlers are told `unknown` after
  /// at most this long. A heartbeat is sent every third of it. 100 ms to 1 minute.
  std::chrono::milliseconds max_staleness{3000};

  /// Where handlers run; null: in a thread of the watch, where a handler that takes long holds up all the others. It
  /// must outlive every handle. If it drops a call (see Executor), that handler is not told.
  Executor* executor = nullptr;
};

/// Called with each event, one at a time for each handle. May begin and end watches, its own included. An exception
/// ends the program (std::terminate), or leaves Completions::run() if there is an executor.
using SessionWatchHandler = std::move_only_function<void(const SessionWatchEvent&)>;

/// One watch. Move-only. The destructor ends the watch: once it has returned, the handler neither runs nor will run,
/// except if it is called by the handler itself. It waits for a handler that is running in another thread, so it must
/// not be called with a lock that the handler takes. May outlive the SessionWatch. Not thread-safe.
class OBOL_EXPORT WatchHandle {
 public:
  /// For SessionWatch.
  class Watch;

  /// Watches nothing.
  WatchHandle() noexcept = default;
  /// For SessionWatch.
  explicit WatchHandle(std::shared_ptr<Watch> watch) noexcept : watch_(std::move(watch)) {}
  /// Leaves a handle that watches nothing.
  WatchHandle(WatchHandle&& other) noexcept : watch_(std::move(other.watch_)) {}
  /// Ends the current watch as the destructor does.
  WatchHandle& operator=(WatchHandle&& other) noexcept;
  ~WatchHandle() { end(); }

  /// Does what the destructor does.
  void end() noexcept;

 private:
  std::shared_ptr<Watch> watch_;
};

/// Watches sessions for a host that keeps something open for them, such as WebSockets or event streams. A handler is
/// told of the end of its session about a round trip and a half after the server ended it, whoever did that.
///
/// Each server with watched sessions is read over one further connection, in a thread of its own; another thread tells
/// the time and runs handlers. The server remembers the watched users only (CLIENT TRACKING, not broadcasting), so
/// other writes cost it nothing.
///
/// A session that is not stored when its watch begins is told as `ended`. If nothing is heard of a session for
/// `max_staleness`, its handler is told `unknown`, and then `live` or `ended` as soon as that is known. Nothing is told
/// of changes that a session survives. Events that come faster than the handler runs are told as one: the last.
///
/// Every function is thread-safe unless it says otherwise. After a fork the child is told nothing: its handles may be
/// destroyed, and watch() fails with `closed` there.
/// Source: https://redis.io/docs/latest/develop/reference/client-side-caching/
class OBOL_EXPORT SessionWatch {
 public:
  /// Connects to the server of these options, which should be those of the host's store: the connection, its
  /// credentials, `key_prefix`, `timeouts.connect` and `pool.lifetime_limit` are used. Needs the ACL rules
  /// `+client|tracking` and `+hpttl`. Fails as RedisStore::connect does, except that no functions are needed.
  [[nodiscard]] static Result<SessionWatch> connect(const RedisStoreOptions& store, SessionWatchOptions options = {});

  /// Watches the sessions of a MemoryStore, which must outlive this. Expiry is noticed by the store's clock, at the
  /// latest a third of `max_staleness` late if the clock jumps. Fails with `invalid_argument` or `unavailable` (no
  /// thread).
  [[nodiscard]] static Result<SessionWatch> over(MemoryStore& store, SessionWatchOptions options = {});

  /// Leaves a watch that may only be destroyed or assigned to. Not thread-safe.
  SessionWatch(SessionWatch&&) noexcept;
  /// Closes the current watch. Not thread-safe.
  SessionWatch& operator=(SessionWatch&&) noexcept;
  /// Does what close() does.
  ~SessionWatch();

  /// Watches a session until the handle is destroyed or the session has ended. Never calls the handler itself. Any
  /// number of watches may be on one session. `invalid_argument` if the key is outside its limits or the handler is
  /// empty; `closed`.
  [[nodiscard]] Result<WatchHandle> watch(const SessionKey& key, SessionWatchHandler handler);

  /// Returns the counts so far.
  SessionWatchStatistics statistics() const;

  /// Returns a callable that samples the statistics, for metrics. It may outlive the watch.
  SessionWatchStatisticsSource statistics_source() const;

  /// See RedisStore::replace_credentials; for MemoryStore it does nothing.
  [[nodiscard]] Result<void> replace_credentials(UserCredentials credentials);

  /// Ends all watches and waits until the threads have ended: for a handler that runs in the thread of the watch, and
  /// at most `timeouts.connect` for a connection that is being opened. From then on no handler is told anything, except
  /// what an executor has taken already. If a handler calls it, the threads end after that.
  void close();

 private:
  class Implementation;
  explicit SessionWatch(std::unique_ptr<Implementation> implementation) noexcept;
  std::unique_ptr<Implementation> implementation_;
};

}}  // namespace obol::v0
