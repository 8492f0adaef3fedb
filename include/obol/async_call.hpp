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
#include <utility>

#include "obol/error.hpp"
#include "obol/executor.hpp"

namespace obol { inline namespace v0 {

/// What holds for one call.
struct CallOptions {
  /// Time limit of the whole call. 0, or more than Timeouts::total: Timeouts::total. Negative: the call ends at once
  /// with `invalid_argument`; a host that counts down to a deadline decides itself what to do once it has passed.
  std::chrono::milliseconds timeout{};
  /// Where the handler runs, or the coroutine goes on; must outlive the call. Null: in the thread that drives the
  /// store.
  Executor* executor = nullptr;
  /// Cancels the call: it ends with `cancelled`. If its command was sent, it is not known whether the server acted, as
  /// with `timeout`. Does nothing to a call that has ended.
  std::stop_token stop{};
};

/// Called with the outcome of a call; may be moved but not copied.
template <class T>
using Handler = std::move_only_function<void(T)>;

template <class T>
class PendingCall;

/// Told of a call's outcome once.
template <class T>
class Receiver {
 public:
  /// The outcome is `ended->outcome`.
  virtual void receive(std::unique_ptr<PendingCall<T>> ended) = 0;
  /// The call was dropped: there will be no outcome, since the executor has dropped its completions. The call destroys
  /// itself afterwards.
  virtual void drop() noexcept = 0;

 protected:
  ~Receiver() = default;
};

/// What the calls of a store have in common, whatever their outcome is.
class CallControl {
 public:
  CallControl() = default;
  CallControl(const CallControl&) = delete;
  CallControl& operator=(const CallControl&) = delete;
  virtual ~CallControl() = default;

  /// After begin() has returned true: the call owns itself, and gives itself to the receiver of begin(), not inside
  /// this function but where a call that takes time would.
  virtual void defer() noexcept = 0;

  /// Between begin() and receive(): the receiver does not exist any more. A call whose command was not sent yet is
  /// cancelled. Must work after the store was destroyed if the call was posted to an executor before that.
  virtual void abandon() noexcept = 0;

  /// After begin() has returned false, until the call is destroyed: does what CallOptions::stop does, if the call can
  /// be cancelled. The receiver is still told. Must work when abandon() must, and in any thread.
  virtual void cancel() noexcept = 0;

  /// The time limit of the call, which counts from begin(); nullopt if there is none.
  virtual std::optional<std::chrono::milliseconds> time_limit() const = 0;

  /// How long the calling thread may wait for the outcome: the time limit of the call and some time for its delivery.
  /// `invalid_argument` if this thread drives the store, since it would wait for itself.
  virtual Result<std::chrono::milliseconds> longest_wait() const = 0;
};

/// The store's side of a call. Stores derive from it; callers use AsyncCall.
template <class T>
class PendingCall : public CallControl {
 public:
  /// Begins the call. True if its outcome is known at once: the receiver is not told then. Otherwise the call owns
  /// itself from now on, may have ended already in another thread, and gives itself to the receiver, once. If this
  /// throws, which only std::bad_alloc does, the call has not begun.
  virtual bool begin(Receiver<T>& receiver) = 0;

  T outcome{};           ///< Once it has ended.
  Handler<T> handler{};  ///< Kept here by AsyncCall, so that a call with a handler is one piece of memory.
};

/// A call that has not begun. Begin it once, in one of four ways; a call that is destroyed without that does nothing.
/// `T` is a Result or another std::expected whose error is an Error. A call may be begun in any thread. If that throws
/// std::bad_alloc, the call has not begun, and no handler is called.
template <class T>
class [[nodiscard]] AsyncCall {
 public:
  /// For stores.
  explicit AsyncCall(std::unique_ptr<PendingCall<T>> call) noexcept : call_(std::move(call)) {}

  /// For adapters to other libraries, which begin the call with a Receiver of their own.
  std::unique_ptr<PendingCall<T>> release() && noexcept { return std::move(call_); }

  class Awaiter;
  /// Gives the outcome. Does not suspend the coroutine if the outcome is known at once. The coroutine goes on in the
  /// thread that CallOptions::executor says. It may be destroyed while it is suspended, but not at the moment when
  /// another thread resumes it. If the executor drops the call, the coroutine stays suspended.
  Awaiter operator co_await() && noexcept { return Awaiter(std::move(call_)); }

  /// Calls `done` with the outcome, once, in the thread that CallOptions::executor says; never inside this function. An
  /// exception out of `done` leaves the function that drives the store, or Completions::run() of the executor; the
  /// destructor of the store drops it. `done` may be empty: nobody is told then. If the executor drops the call, `done`
  /// is destroyed without being called.
  void start(Handler<T> done) &&;

  /// Gives the outcome to a future, which has std::future_error if the executor drops the call.
  std::future<T> future() &&;

  /// Waits for the outcome in this thread. `invalid_argument` if this thread drives the store; `timeout` if nobody
  /// does, or nobody runs the executor; `closed` if the executor drops the call.
  T wait() &&;

 private:
  class CallsHandler;
  using Call = std::unique_ptr<PendingCall<T>>;

  /// Returns the call if its outcome is known at once.
  static Call begin(Call call, Handler<T> done);

  Call call_;
};

/// What co_await uses.
template <class T>
class AsyncCall<T>::Awaiter final : private Receiver<T> {
 public:
  /// Of a call that has not begun.
  explicit Awaiter(Call call) noexcept : call_(std::move(call)) {}
  Awaiter(const Awaiter&) = delete;
  Awaiter& operator=(const Awaiter&) = delete;
  ~Awaiter() {
    if (running_ != nullptr) running_->abandon();
  }

  /// The call has not begun yet.
  bool await_ready() const noexcept { return false; }

  /// Begins the call. False if its outcome is known at once. If not, another thread may resume the coroutine, and so
  /// destroy this, before begin() returns.
  bool await_suspend(std::coroutine_handle<> coroutine) {
    coroutine_ = coroutine;
    running_ = call_.release();
    PendingCall<T>* const call = running_;
    try {
      if (!call->begin(*this)) return true;
    } catch (...) {
      take(Call(call));
      throw;
    }
    take(Call(call));
    return false;
  }

  /// Gives the outcome.
  T await_resume() { return std::move(call_->outcome); }

 private:
  void take(Call call) noexcept {
    running_ = nullptr;
    call_ = std::move(call);
  }
  void receive(Call ended) override {
    take(std::move(ended));
    coroutine_.resume();
  }
  void drop() noexcept override { running_ = nullptr; }

  Call call_;                          ///< Before it has begun and once it has ended.
  PendingCall<T>* running_ = nullptr;  ///< In between.
  std::coroutine_handle<> coroutine_{};
};

/// Gives the outcome of a call to its handler.
template <class T>
class AsyncCall<T>::CallsHandler final : public Receiver<T> {
 public:
  /// The call is destroyed before the handler runs.
  void receive(Call ended) override {
    Handler<T> done = std::move(ended->handler);
    T outcome = std::move(ended->outcome);
    ended.reset();
    if (done) done(std::move(outcome));
  }
  /// The handler is destroyed with the call.
  void drop() noexcept override {}
};

template <class T>
auto AsyncCall<T>::begin(Call call, Handler<T> done) -> Call {
  static constinit CallsHandler receiver;
  call->handler = std::move(done);
  if (call->begin(receiver)) return call;
  static_cast<void>(call.release());
  return nullptr;
}

template <class T>
void AsyncCall<T>::start(Handler<T> done) && {
  if (auto ended = begin(std::move(call_), std::move(done))) ended.release()->defer();
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
  const auto failed = [](Error error) { return T(std::unexpect, typename T::error_type{std::move(error)}); };
  auto longest = call_->longest_wait();
  if (!longest) return failed(std::move(longest.error()));
  std::promise<T> promise;
  auto outcome = promise.get_future();
  auto known =
      begin(std::move(call_), [promise = std::move(promise)](T ended) mutable { promise.set_value(std::move(ended)); });
  if (known) return std::move(known->outcome);
  if (outcome.wait_for(*longest) != std::future_status::ready) {
    return failed({ErrorCode::timeout,
                   "nobody drives the store or runs the call's executor; call run_ready() or use a BackgroundDriver"});
  }
  try {
    return outcome.get();
  } catch (const std::future_error&) {
    return failed({ErrorCode::closed, "the call's executor has ended, so the outcome of the call is lost"});
  }
}

}}  // namespace obol::v0
