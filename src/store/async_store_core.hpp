// What an asynchronous store and its calls share.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "base/admission.hpp"
#include "base/fork_registration.hpp"
#include "base/process_end.hpp"
#include "obol/error.hpp"
#include "obol/executor.hpp"
#include "redis/loop/engine.hpp"
#include "store/aside_calls.hpp"
#include "store/redis_store_parts.hpp"

namespace obol { inline namespace v0 {

/// Thread-safe but for run_ready() and shut_down(). Outlives the store while calls that have ended wait for their
/// executor.
class AsyncStoreCore {
 public:
  AsyncStoreCore(std::shared_ptr<RedisStoreParts> parts, std::unique_ptr<redis::Engine> engine);
  ~AsyncStoreCore() = default;
  AsyncStoreCore(const AsyncStoreCore&) = delete;
  AsyncStoreCore& operator=(const AsyncStoreCore&) = delete;

  RedisStoreParts& parts() { return *parts_; }
  const std::shared_ptr<RedisStoreParts>& shared_parts() const { return parts_; }

  /// For the owner, until it calls shut_down().
  redis::Engine& engine() { return *engine_; }

  /// Calls `use` with the engine; does nothing and returns false if that is gone.
  template <class Use>
  bool with_engine(const Use& use) {
    const Admission::Visit visit(engine_use_);
    if (!visit.is_admitted()) return false;
    use(*engine_);
    return true;
  }

  void run_ready();

  /// No call may begin any more.
  void close();
  /// After close(), and in a forked child.
  bool is_closed() const { return is_closed_.load(std::memory_order_relaxed); }
  bool is_in_child() const { return is_in_child_.load(std::memory_order_relaxed); }
  /// True if it was closed, no call is left, and every handler has run or was posted.
  bool has_ended() const { return is_closed() && aside_.empty() && engine_->closed(); }

  /// Tells the caller of a call that has ended, where its executor says; never inside this function. False if there is
  /// nobody to do it, since the store was destroyed.
  bool deliver(Completion& ended, Executor* executor) noexcept;

  AsideCalls& aside() { return aside_; }
  /// Calls `end` with the engine unless the call has ended already. For the threads that work for these calls: the
  /// store is not destroyed meanwhile, so that `end` can still deliver.
  template <class End>
  void end_aside(AsideCalls::Id id, const End& end) {
    with_engine([&](redis::Engine& engine) { aside_.end(id, [&] { end(engine); }); });
  }

  /// Ends all calls with `closed`, and destroys the engine. Waits for no server.
  void shut_down();

 private:
  void close_at_end();

  const std::shared_ptr<RedisStoreParts> parts_;
  std::unique_ptr<redis::Engine> engine_;
  Admission engine_use_{};
  AsideCalls aside_{};
  std::atomic<bool> is_closed_{false};
  std::atomic<bool> is_in_child_{false};
  std::atomic<std::thread::id> shut_down_by_{};
  Completions begun_too_late_{};  ///< Calls that handlers have begun during shut_down().
  ForkRegistration fork_registration_;
  ProcessEndRegistration process_end_registration_;
};

}}  // namespace obol::v0
