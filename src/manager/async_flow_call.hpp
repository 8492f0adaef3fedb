// An asynchronous call of a session manager: runs a flow over a store, one call of the store after the other. Nothing
// about sessions is decided here.
#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "manager/async_manager_core.hpp"
#include "manager/flows.hpp"
#include "manager/store_calls.hpp"
#include "obol/async_call.hpp"
#include "obol/async_session_store.hpp"
#include "obol/executor.hpp"
#include "store/call_receiver.hpp"
#include "values/async_errors.hpp"
#include "values/closed_error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace manager {

template <class Call, class Reply>
class ReplyReceivers;

/// Is told of the store's calls with this outcome.
template <class Call, class T>
class OutcomeReceiver : public Receiver<T> {
 public:
  void receive(std::unique_ptr<PendingCall<T>> ended) final { static_cast<Call&>(*this).take(std::move(ended)); }

 private:
  friend Call;
  template <class, class>
  friend class ReplyReceivers;
  OutcomeReceiver() = default;
  ~OutcomeReceiver() = default;
};

/// Is told of each call that a flow with such replies may ask for.
template <class Call>
class ReplyReceivers<Call, StoreReply> : public OutcomeReceiver<Call, Result<std::optional<Session>>>,
                                         public OutcomeReceiver<Call, std::expected<UpsertedSession, UpsertError>>,
                                         public OutcomeReceiver<Call, std::expected<Session, UpsertError>>,
                                         public OutcomeReceiver<Call, Result<Deleted>> {
 private:
  friend Call;
  ReplyReceivers() = default;
  ~ReplyReceivers() = default;
};

template <class Call>
class ReplyReceivers<Call, ListFlow::Reply> : public OutcomeReceiver<Call, ListFlow::Reply> {
 private:
  friend Call;
  ReplyReceivers() = default;
  ~ReplyReceivers() = default;
};

/// Before the flow that looks at it.
struct KeptToken {
  const std::string token;
};
/// A flow with a copy of the token that it is given.
template <class Flow>
class WithToken : private KeptToken, public Flow {
 public:
  template <class... Arguments>
  WithToken(const SessionIssuer& issuer, std::string presented, Arguments&&... arguments)
      : KeptToken{std::move(presented)}, Flow(issuer, token, std::forward<Arguments>(arguments)...) {}
  WithToken(const WithToken&) = delete;
  WithToken& operator=(const WithToken&) = delete;
  ~WithToken() = default;
};

inline Error no_time_left_error() {
  return {ErrorCode::unavailable,
          "the time limit of the call passed before its next step could be sent; raise Timeouts::total or "
          "CallOptions::timeout, or look for what keeps the servers busy"};
}

inline Error thrown_error() {
  return {ErrorCode::invalid_argument,
          "the change of the payload (or the clock of the options) threw an exception; the call ended there"};
}

/// One block of memory, besides those of the store's calls. In between these it belongs to nobody but the store's call
/// under way, which tells it of its outcome in any case: if the caller abandons this, that call is only cancelled.
template <class Flow>
class AsyncFlowCall final : public PendingCall<typename Flow::Outcome>,
                            public ReplyReceivers<AsyncFlowCall<Flow>, typename Flow::Reply>,
                            private Completion {
  using Outcome = typename Flow::Outcome;
  using Reply = typename Flow::Reply;
  using Time = std::chrono::steady_clock;
  using Milliseconds = std::chrono::milliseconds;

 public:
  /// The flow is made of the issuer and the arguments.
  template <class... Arguments>
  AsyncFlowCall(std::shared_ptr<AsyncManagerCore> core, CallOptions options, Arguments&&... arguments)
      : core_(std::move(core)),
        options_(std::move(options)),
        flow_(core_->issuer(), std::forward<Arguments>(arguments)...) {}

  bool begin(Receiver<Outcome>& receiver) override {
    receiver_.set(receiver);
    begun_ = Time::now();
    if (auto refused = refusal_of(options_)) {
      this->outcome = std::unexpected(std::move(*refused));
      return true;
    }
    if (core_->is_in_child()) {
      fail(ErrorCode::closed, closed_error);
      return true;
    }
    return go_on([this] { return flow_.begin(); });
  }

  void defer() noexcept override {
    Completion& ended = *this;
    auto* const executor = options_.executor;
    if (core_->with_store([&](AsyncSessionStore& store) { store.post(ended, executor); })) return;
    Completions without_store(ended);
    if (executor != nullptr) executor->post(std::move(without_store));
  }

  void abandon() noexcept override {
    const auto lock = this->lock();
    receiver_.set_abandoned();
    if (under_way_ != nullptr) under_way_->cancel();
  }

  void cancel() noexcept override {
    const auto lock = this->lock();
    is_cancelled_ = true;
    if (under_way_ != nullptr) under_way_->cancel();
  }

  std::optional<Milliseconds> time_limit() const override {
    std::optional<Milliseconds> limit;
    ask_a_call([&](const CallControl& call) { limit = call.time_limit(); });
    return limit;
  }

  Result<Milliseconds> longest_wait() const override {
    Result<Milliseconds> longest = std::unexpected(closed_error());
    ask_a_call([&](const CallControl& call) { longest = call.longest_wait(); });
    return longest;
  }

  /// A call of the store has ended.
  template <class T>
  void take(std::unique_ptr<PendingCall<T>> ended) {
    forget_call_under_way();
    auto reply = reply_of(std::move(ended->outcome));
    ended.reset();
    if (go_on([&] { return flow_.receive(std::move(reply)); })) tell();
  }

 private:
  /// Of a call of the store that is never begun.
  template <class Ask>
  void ask_a_call(const Ask& ask) const {
    core_->with_store([&](AsyncSessionStore& store) { ask(*store.get({}, {.timeout = options_.timeout}).release()); });
  }

  std::unique_lock<std::mutex> lock() { return receiver_.lock(core_->is_in_child()); }

  /// Whoever began it may not have let go of the lock.
  void forget_call_under_way() {
    const auto lock = this->lock();
    under_way_ = nullptr;
  }

  bool is_stopped() const { return options_.stop.stop_requested(); }

  /// True once the outcome is known. False if a call of the store is under way: it may have ended in another thread,
  /// and this may be gone.
  template <class Next>
  bool go_on(const Next& next) noexcept {
    try {
      auto step = next();
      while (auto* request = std::get_if<typename Flow::Request>(&step)) {
        auto reply = ask(*request);
        if (!reply) return false;
        step = flow_.receive(std::move(*reply));
      }
      this->outcome = std::get<Outcome>(std::move(step));
    } catch (const std::bad_alloc&) {
      this->outcome = std::unexpected(out_of_memory());
    } catch (...) {
      fail(ErrorCode::invalid_argument, thrown_error);
    }
    return true;
  }

  template <class Make>
  void fail(ErrorCode code, Make make) noexcept {
    this->outcome = std::unexpected(error_from(code, make));
  }

  /// The store's reply if it is known at once.
  std::optional<Reply> ask(typename Flow::Request& request) {
    const auto options = options_for_call();
    if (!options) return failed<Reply>(no_time_left_error());
    std::optional<Reply> reply;
    const bool is_open = core_->with_store([&](AsyncSessionStore& store) {
      std::visit([&](auto& each) { reply = begin_call(make_call(store, each, *options)); }, request);
    });
    return is_open ? std::move(reply) : failed<Reply>(closed_error());
  }

  template <class T>
  std::optional<Reply> begin_call(AsyncCall<T> call) {
    auto pending = std::move(call).release();
    if (!give_up_) give_up_ = end_of(pending->time_limit());
    const auto lock = this->lock();
    if (is_stopped() || is_cancelled_ || receiver_.is_abandoned()) return failed<Reply>(cancelled_error());
    if (pending->begin(*this)) return reply_of(std::move(pending->outcome));
    under_way_ = pending.release();
    return std::nullopt;
  }

  Time::time_point end_of(std::optional<Milliseconds> limit) const {
    const auto longest = std::chrono::floor<Milliseconds>(Time::time_point::max() - begun_);
    return limit && *limit < longest ? begun_ + *limit : Time::time_point::max();
  }

  /// The time limit of a later call is what the calls before have left of the first one's; nullopt if that is nothing.
  std::optional<CallOptions> options_for_call() const {
    auto options = options_;
    if (give_up_) {
      options.timeout = std::chrono::floor<Milliseconds>(*give_up_ - Time::now());
      if (options.timeout <= Milliseconds(0)) return std::nullopt;
    }
    return options;
  }

  void tell() { receiver_.tell(std::unique_ptr<PendingCall<Outcome>>(this), core_->is_in_child()); }

  void complete() override { tell(); }

  /// Of this, which waits for its executor, or of the store's call under way.
  void drop() noexcept override {
    forget_call_under_way();
    receiver_.drop(std::unique_ptr<PendingCall<Outcome>>(this), core_->is_in_child());
  }

  const std::shared_ptr<AsyncManagerCore> core_;
  const CallOptions options_;
  Flow flow_;
  CallReceiver<Outcome> receiver_;
  Time::time_point begun_{};
  std::optional<Time::time_point> give_up_{};
  CallControl* under_way_ = nullptr;  ///< Under the lock.
  bool is_cancelled_ = false;         ///< Under the lock.
};

}}}  // namespace obol::v0::manager
