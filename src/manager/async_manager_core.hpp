// What an asynchronous session manager and its calls share.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "base/admission.hpp"
#include "base/fork_registration.hpp"
#include "manager/session_issuer.hpp"
#include "obol/async_session_store.hpp"

namespace obol { inline namespace v0 { namespace manager {

/// Thread-safe. Outlives the manager while calls have not ended.
class AsyncManagerCore {
 public:
  AsyncManagerCore(std::shared_ptr<AsyncSessionStore> store, SessionManagerOptions options)
      : issuer_(std::move(options)), store_(std::move(store)), fork_registration_([this] {
          store_use_.forget_callers();
          is_in_child_ = true;
        }) {}
  ~AsyncManagerCore() = default;
  AsyncManagerCore(const AsyncManagerCore&) = delete;
  AsyncManagerCore& operator=(const AsyncManagerCore&) = delete;

  SessionIssuer& issuer() { return issuer_; }

  /// For the manager, until it calls close().
  AsyncSessionStore& store() { return *store_; }

  /// Calls `use` with the store; does nothing and returns false after close().
  template <class Use>
  bool with_store(const Use& use) {
    const Admission::Visit visit(store_use_);
    if (!visit.is_admitted()) return false;
    use(*store_);
    return true;
  }

  bool is_in_child() const { return is_in_child_.load(std::memory_order_relaxed); }

  /// Gives the store up. If that destroys the store, calls end inside.
  void close() {
    store_use_.close();
    store_use_.await_idle();
    store_.reset();
  }

 private:
  SessionIssuer issuer_;
  std::shared_ptr<AsyncSessionStore> store_;
  Admission store_use_{};
  std::atomic<bool> is_in_child_{false};
  ForkRegistration fork_registration_;
};

}}}  // namespace obol::v0::manager
