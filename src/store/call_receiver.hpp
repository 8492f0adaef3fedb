// Who is told of an asynchronous call's outcome, unless nobody wants to know it any more.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

#include "obol/async_call.hpp"

namespace obol { inline namespace v0 {

/// Part of a call that owns itself. `is_in_child` of a function: the process is a fork of the one that began the call.
template <class T>
class CallReceiver {
 public:
  void set(Receiver<T>& receiver) { receiver_ = &receiver; }

  /// Held by other threads while they use the call. It is not destroyed before.
  std::unique_lock<std::mutex> lock(bool is_in_child) {
    std::unique_lock lock(mutex_, std::defer_lock);
    // The parent's threads are not here; one of them may have held it.
    if (!is_in_child) lock.lock();
    return lock;
  }

  /// Under the lock.
  void set_abandoned() { is_abandoned_ = true; }
  bool is_abandoned() const { return is_abandoned_; }

  /// Gives the call to its receiver, or destroys it.
  void tell(std::unique_ptr<PendingCall<T>> ended, bool is_in_child) {
    if (is_there(is_in_child)) receiver_->receive(std::move(ended));
  }

  /// Destroys the call, whose outcome nobody will know.
  void drop(std::unique_ptr<PendingCall<T>> dropped, bool is_in_child) noexcept {
    if (is_there(is_in_child)) receiver_->drop();
    dropped.reset();
  }

 private:
  bool is_there(bool is_in_child) {
    if (!is_abandoned_) return true;
    const auto left_by_all = lock(is_in_child);
    return false;
  }

  Receiver<T>* receiver_ = nullptr;
  std::mutex mutex_;
  std::atomic<bool> is_abandoned_{false};
};

}}  // namespace obol::v0
