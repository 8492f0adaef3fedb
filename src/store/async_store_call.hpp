// The side of an asynchronous call that faces its caller: who is told of the outcome, where and by when.
#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "obol/async_call.hpp"
#include "obol/executor.hpp"
#include "store/async_store_core.hpp"
#include "store/call_receiver.hpp"
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

  std::optional<std::chrono::milliseconds> time_limit() const final {
    const auto total = core_->parts().options().timeouts.total;
    if (options_.timeout.count() == 0) return total;
    return std::clamp(options_.timeout, std::chrono::milliseconds(0), total);
  }

  Result<std::chrono::milliseconds> longest_wait() const final {
    bool is_driver = false;
    core_->with_engine([&](const redis::Engine& engine) { is_driver = engine.is_driven_by_this_thread(); });
    if (is_driver) return std::unexpected(driving_thread_error());
    constexpr std::chrono::seconds for_delivery{1};
    return *time_limit() + for_delivery;
  }

 protected:
  ~AsyncStoreCall() override = default;

  AsyncStoreCore& core() const { return *core_; }
  const std::shared_ptr<AsyncStoreCore>& shared_core() const { return core_; }
  const CallOptions& options() const { return options_; }

  void set_receiver(Receiver<T>& receiver) { receiver_.set(receiver); }

  /// See CallReceiver.
  std::unique_lock<std::mutex> lock() { return receiver_.lock(core_->is_in_child()); }
  void set_abandoned() { receiver_.set_abandoned(); }
  bool is_abandoned() const { return receiver_.is_abandoned(); }

  /// Gives this to the receiver, or destroys it.
  void tell() { receiver_.tell(std::unique_ptr<PendingCall<T>>(this), core_->is_in_child()); }

  void drop() noexcept override { receiver_.drop(std::unique_ptr<PendingCall<T>>(this), core_->is_in_child()); }

 private:
  const std::shared_ptr<AsyncStoreCore> core_;
  const CallOptions options_;
  CallReceiver<T> receiver_;
};

}}  // namespace obol::v0
