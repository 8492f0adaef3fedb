// The side of an asynchronous call that faces its caller: who is told of the outcome, where and by when.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <concepts>
#include <memory>
#include <mutex>
#include <utility>

#include "obol/async_call.hpp"
#include "obol/executor.hpp"
#include "store/async_store_core.hpp"
#include "values/async_errors.hpp"

namespace obol { inline namespace v0 {

/// `Ended`: a Completion, which tells the caller by tell().
template <class T, std::derived_from<Completion> Ended>
class AsyncStoreCall : public PendingCall<T>, protected Ended {
 public:
  AsyncStoreCall(std::shared_ptr<AsyncStoreCore> core, CallOptions options)
      : core_(std::move(core)), options_(std::move(options)) {}

  void defer() noexcept final {
    if (!core_->deliver(*this, options_.executor)) drop();
  }

  Result<std::chrono::milliseconds> longest_wait() const final {
    bool is_driver = false;
    core_->with_engine([&](const redis::Engine& engine) { is_driver = engine.is_driven_by_this_thread(); });
    if (is_driver) return std::unexpected(driving_thread_error());
    constexpr std::chrono::seconds for_delivery{1};
    return time_limit() + for_delivery;
  }

 protected:
  ~AsyncStoreCall() override = default;

  AsyncStoreCore& core() const { return *core_; }
  const std::shared_ptr<AsyncStoreCore>& shared_core() const { return core_; }
  const CallOptions& options() const { return options_; }

  /// A negative limit has passed already.
  std::chrono::milliseconds time_limit() const {
    const auto total = core_->parts().options().timeouts.total;
    if (options_.timeout.count() == 0) return total;
    return std::clamp(options_.timeout, std::chrono::milliseconds(-1), total);
  }

  void set_receiver(Receiver<T>& receiver) { receiver_ = &receiver; }

  /// Held by other threads while they use this call. It is not destroyed before.
  std::unique_lock<std::mutex> lock() {
    std::unique_lock lock(mutex_, std::defer_lock);
    // The parent's threads are not here; one of them may have held it.
    if (!core_->is_in_child()) lock.lock();
    return lock;
  }

  /// Under the lock.
  void set_abandoned() { is_abandoned_ = true; }
  bool is_abandoned() const { return is_abandoned_; }

  /// Gives this to the receiver, or destroys it.
  void tell() {
    if (has_receiver()) {
      receiver_->receive(std::unique_ptr<PendingCall<T>>(this));
    } else {
      delete this;
    }
  }

  void drop() noexcept override {
    if (has_receiver()) receiver_->drop();
    delete this;
  }

 private:
  bool has_receiver() {
    if (!is_abandoned_) return true;
    const auto left_by_all = lock();
    return false;
  }

  const std::shared_ptr<AsyncStoreCore> core_;
  const CallOptions options_;
  Receiver<T>* receiver_ = nullptr;
  std::mutex mutex_;
  std::atomic<bool> is_abandoned_{false};
};

}}  // namespace obol::v0
