// Makes calls over sockets that never block, driven by an event loop of the host.
#pragma once

#include <memory>

#include "obol/error.hpp"
#include "obol/executor.hpp"
#include "obol/pool_options.hpp"
#include "obol/store_statistics.hpp"
#include "redis/client/client.hpp"
#include "redis/loop/engine_call.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Its own connections, and the topology, functions, credentials and retry budget of a client, which several engines
/// may share. Thread-safe but for run_ready().
class Engine {
 public:
  /// The client must have been started. `internal` if the operating system gives no descriptor.
  static Result<std::unique_ptr<Engine>> create(std::shared_ptr<Client> client, const PoolOptions& pool);

  /// Completes every call that is left with `closed`. Waits for nothing. Not inside run_ready(). See run_last_handlers
  /// for what is begun meanwhile, and for exceptions.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Readable if run_ready() has work.
  int descriptor() const;

  /// One thread at a time.
  void run_ready();

  /// Takes the call over, and never completes it inside this function. False if the call is refused: then it stays the
  /// caller's and is not completed, and its result has the error, `closed` or `pool_timeout`.
  bool begin(EngineCall& call) noexcept;

  /// Completes what has ended already as a call would be. Never inside this function.
  void deliver(Completion& ended, Executor* executor) noexcept;

  /// Ends a call with `cancelled`; does nothing if it has ended already. The call must live during this function. Any
  /// thread.
  void cancel(EngineCall& call) noexcept;

  /// True in the thread that called run_ready() last.
  bool is_driven_by_this_thread() const noexcept;

  /// Calls that were not sent and all later ones end with `closed`.
  void close() noexcept;
  /// True if it was closed, no call is left, and what has ended was completed or posted.
  bool closed() const noexcept;

  PoolStatistics statistics() const;

 private:
  class Implementation;
  explicit Engine(std::unique_ptr<Implementation> implementation) noexcept;
  std::unique_ptr<Implementation> implementation_;
};

}}}  // namespace obol::v0::redis
