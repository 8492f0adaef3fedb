// A call of an asynchronous store: awaited by a coroutine, or started with a handler.
#pragma once

#include <chrono>
#include <coroutine>
#include <expected>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

#include "obol/error.hpp"
#include "obol/executor.hpp"
#include "obol/export.hpp"

namespace obol { inline namespace v0 {

/// What holds for one call.
struct CallOptions {
  /// Time limit of the whole call. 0, or more than Timeouts::total: Timeouts::total.
  std::chrono::milliseconds timeout{};
  /// Where the handler runs, or the coroutine goes on; must outlive the call. Null: in the thread that drives the
  /// store.
  Executor* executor = nullptr;
  /// Cancels the call: it ends with `cancelled`. If its command was sent, it is not known whether the server acted, as
  /// with `timeout`. Does nothing to a call that has ended.
  std::stop_token stop{};
};

template <class T>
class PendingCall;

/// Told of a call's outcome once.
template <class T>
class Receiver {
 public:
  /// The outcome is `ended->outcome`.
  virtual void receive(std::unique_ptr<PendingCall<T>> ended) = 0;
  /// The call was dropped: there will be no outcome, since the executor has dropped its completions.
  virtual void drop() noexcept = 0;

 protected:
  ~Receiver() = default;
};

/// The store's side of a call. Stores derive from it; callers use AsyncCall.
template <class T>
class PendingCall {
 public:
  PendingCall() = default;
  PendingCall(const PendingCall&) = delete;
  PendingCall& operator=(const PendingCall&) = delete;
  virtual ~PendingCall() = default;

  /// Begins the call. True if its outcome is known at once: the receiver is not told then. Otherwise the call owns
  /// itself from now on, may have ended already in another thread, and gives itself to the receiver, once.
  virtual bool begin(Receiver<T>& receiver) = 0;

  /// After begin() has returned true: the call owns itself, and gives itself to the receiver of begin(), not inside
  /// this function but where a call that takes time would.
  virtual void defer() noexcept = 0;

  /// Between begin() and receive(): the receiver does not exist any more. A call whose command was not sent yet is
  /// cancelled.
  virtual void abandon() noexcept = 0;

  /// How long the calling thread may wait for the outcome: the time limit of the call and some time for its delivery.
  /// `invalid_argument` if this thread drives the store, since it would wait for itself.
  virtual Result<std::chrono::milliseconds> longest_wait() const = 0;

  T outcome{};
};

/// Called with the outcome of a call; may be moved but not copied.
template <class T>
using Handler = std::move_only_function<void(T)>;

/// A call that has not begun. Begin it in one of four ways; a call that is destroyed without that does nothing.
/// `T` is a Result or another std::expected whose error is an Error. A call may be begun in any thread.
template <class T>
class [[nodiscard]] AsyncCall {
 public:
  explicit AsyncCall(std::unique_ptr<PendingCall<T>> call) noexcept : call_(std::move(call)) {}

  /// For adapters to other libraries, which begin the call with a Receiver of their own.
  std::unique_ptr<PendingCall<T>> release() && noexcept { return std::move(call_); }

  class Awaiter;
  /// Gives the outcome. Does not suspend the coroutine if the outcome is known at once. The coroutine goes on in the
  /// thread that CallOptions::executor says. It may be destroyed while it is suspended, but not at the moment when
  /// another thread resumes it.
  Awaiter operator co_await() && noexcept { return Awaiter(std::move(call_)); }

  /// Calls `done` with the outcome, once, in the thread that CallOptions::executor says; never inside this function. An
  /// exception out of `done` leaves the function that drives the store, or Completions::run() of the executor.
  void start(Handler<T> done) &&;

  /// Gives the outcome to a future, which has std::future_error if the call is dropped.
  std::future<T> future() &&;

  /// Waits for the outcome in this thread. `invalid_argument` if this thread drives the store; `timeout` if nobody
  /// does.
  T wait() &&;

 private:
  class Callback;
  static void launch(std::unique_ptr<PendingCall<T>> call, Receiver<T>& receiver);

  std::unique_ptr<PendingCall<T>> call_;
};

template <class T>
class AsyncCall<T>::Awaiter final : private Receiver<T> {
 public:
  explicit Awaiter(std::unique_ptr<PendingCall<T>> call) noexcept : call_(std::move(call)) {}
  Awaiter(const Awaiter&) = delete;
  Awaiter& operator=(const Awaiter&) = delete;
  ~Awaiter() {
    if (running_ != nullptr) running_->abandon();
  }

  bool await_ready() const noexcept { return false; }

  // Once begin() has returned false, another thread may have resumed the coroutine, which destroys this.
  bool await_suspend(std::coroutine_handle<> coroutine) {
    coroutine_ = coroutine;
    running_ = call_.release();
    PendingCall<T>* const call = running_;
    if (!call->begin(*this)) return true;
    running_ = nullptr;
    call_.reset(call);
    return false;
  }

  T await_resume() { return std::move(call_->outcome); }

 private:
  void receive(std::unique_ptr<PendingCall<T>> ended) override {
    running_ = nullptr;
    call_ = std::move(ended);
    coroutine_.resume();
  }
  void drop() noexcept override { running_ = nullptr; }

  std::unique_ptr<PendingCall<T>> call_;  ///< Before it has begun and once it has ended.
  PendingCall<T>* running_ = nullptr;     ///< In between.
  std::coroutine_handle<> coroutine_{};
};

template <class T>
class AsyncCall<T>::Callback final : public Receiver<T> {
 public:
  explicit Callback(Handler<T> done) : done_(std::move(done)) {}
  void receive(std::unique_ptr<PendingCall<T>> ended) override {
    const std::unique_ptr<Callback> self(this);
    T outcome = std::move(ended->outcome);
    ended.reset();
    done_(std::move(outcome));
  }
  void drop() noexcept override { delete this; }

 private:
  Handler<T> done_;
};

template <class T>
void AsyncCall<T>::launch(std::unique_ptr<PendingCall<T>> call, Receiver<T>& receiver) {
  auto* const running = call.release();
  if (running->begin(receiver)) running->defer();
}

template <class T>
void AsyncCall<T>::start(Handler<T> done) && {
  launch(std::move(call_), *new Callback(std::move(done)));
}

template <class T>
std::future<T> AsyncCall<T>::future() && {
  std::promise<T> promise;
  auto outcome = promise.get_future();
  std::move(*this).start([promise = std::move(promise)](T ended) mutable { promise.set_value(std::move(ended)); });
  return outcome;
}

template <class T>
T AsyncCall<T>::wait() && {
  using Failure = typename T::error_type;
  const auto longest = call_->longest_wait();
  if (!longest) return T(std::unexpect, Failure{longest.error()});
  auto outcome = std::move(*this).future();
  if (outcome.wait_for(*longest) != std::future_status::ready) {
    return T(
        std::unexpect,
        Failure{Error{ErrorCode::timeout,
                      "nobody drives the store, so no call of it ends; call run_ready() or use a BackgroundDriver"}});
  }
  return outcome.get();
}

}}  // namespace obol::v0
