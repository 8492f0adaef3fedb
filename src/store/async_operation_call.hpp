// An asynchronous call: runs the operation of a call over an engine. Nothing about sessions is decided here.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stop_token>
#include <utility>

#include "obol/keyring.hpp"
#include "redis/loop/engine.hpp"
#include "redis/loop/engine_call.hpp"
#include "store/async_store_call.hpp"
#include "store/call_reports.hpp"
#include "store/operation.hpp"
#include "values/async_errors.hpp"
#include "values/closed_error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 {

/// What differs between the calls of a store: arguments, operation, and what happened to sessions. Constructed with the
/// outcome of the call and with its arguments. Nothing but begin() and take() throws.
template <class T>
concept AsyncCallWork = requires(T work, const T& seen, RedisStoreParts& parts, const Answer& answer, Error error) {
  typename T::Outcome;
  { T::needs_keyring } -> std::convertible_to<bool>;
  { seen.operation() } -> std::same_as<Operation>;
  /// Checks the arguments and begins the operation; nothing if the outcome is known.
  { work.begin(parts) } -> std::same_as<std::optional<Request>>;
  { work.take(answer) } -> std::same_as<std::optional<Request>>;
  { seen.make_write(true) } -> std::same_as<redis::Command>;
  work.fail(error);           ///< Before end(), also if nothing was begun.
  work.end(parts.reports());  ///< Destroys the operation, tells what happened to sessions, and settles the outcome.
  { seen.found_near() } -> std::same_as<bool>;
};

/// What the engine is asked for the store's request.
redis::Exchange exchange_for(const Request& request);

/// One block of memory for a call. A cancelled write may still be on its way to the server when its operation drops
/// what the near cache has of the user: what is read and kept from then on, before the server acts, is dropped when the
/// server reports the change, or after NearCacheOptions::max_staleness at the latest, as with another process' write.
template <AsyncCallWork Work>
class AsyncOperationCall final : public AsyncStoreCall<typename Work::Outcome, redis::EngineCall> {
  using Outcome = typename Work::Outcome;
  using Base = AsyncStoreCall<Outcome, redis::EngineCall>;

 public:
  template <class... Arguments>
  AsyncOperationCall(std::shared_ptr<AsyncStoreCore> core, CallOptions options, Arguments&&... arguments)
      : Base(std::move(core), std::move(options)), work_(this->outcome, std::forward<Arguments>(arguments)...) {}

  /// A call that a thread of the parent may be cancelling keeps its memory in a forked child; see end().
  static void operator delete(AsyncOperationCall* call, std::destroying_delete_t /*tag*/) {
    if (call->cancel_on_stop_ && call->core().is_in_child()) return;
    call->~AsyncOperationCall();
    ::operator delete(call);
  }

  bool begin(Receiver<Outcome>& receiver) override {
    this->set_receiver(receiver);
    begun_ = CallReports::Time::now();
    this->deadline = redis::Deadline::at(begun_ + *this->time_limit());
    this->executor = this->options().executor;
    if (ask(first_request())) return false;
    end();
    return true;
  }

  void abandon() noexcept override {
    const auto lock = this->lock();
    this->set_abandoned();
    this->core().with_engine([this](redis::Engine& engine) { engine.cancel(*this); });
  }

  void cancel() noexcept override {
    const auto lock = this->lock();
    is_cancelled_ = true;
    if (was_begun_) this->core().with_engine([this](redis::Engine& engine) { engine.cancel(*this); });
  }

 private:
  enum class Asked : std::uint8_t { begun, refused, cancelled, closed };

  struct Cancel {
    AsyncOperationCall* call;
    void operator()() const noexcept { call->cancel(); }
  };

  void complete() override {
    if (!has_ended_) {
      if (ask(next_request())) return;
      end();
    }
    this->tell();
  }

  void drop() noexcept override {
    if (!has_ended_) {
      await_beginner();
      work_.fail(error_from(ErrorCode::cancelled, cancelled_error));
      end();
    }
    Base::drop();
  }

  redis::Command make_write(bool checks_clock) const override { return work_.make_write(checks_clock); }

  std::optional<Request> first_request() noexcept {
    if (this->core().is_closed()) return fail(error_from(ErrorCode::closed, closed_error));
    if (auto refused = refusal_of(this->options())) return fail(std::move(*refused));
    if (const auto& stop = this->options().stop; stop.stop_possible()) cancel_on_stop_.emplace(stop, Cancel{this});
    return attempt([this] { return work_.begin(this->core().parts()); });
  }

  /// Whoever began the exchange may not have let go of the lock.
  void await_beginner() noexcept {
    if (began_under_lock_) const auto left = this->lock();
  }

  std::optional<Request> next_request() noexcept {
    await_beginner();
    auto& exchanged = this->result();
    if (!exchanged) return fail(std::move(exchanged.error()));
    return attempt([&] {
      auto& parts = this->core().parts();
      return work_.take({.replies = exchanged->replies,
                         .answered_by = exchanged->answered_by,
                         .is_past = exchanged->is_past,
                         .now = parts.options().clock(),
                         .keyring = Work::needs_keyring ? parts.keyring() : Keyring()});
    });
  }

  template <class Step>
  std::optional<Request> attempt(const Step& step) {
    try {
      return step();
    } catch (const std::bad_alloc&) {
      return fail(out_of_memory());
    }
  }

  std::optional<Request> fail(Error error) {
    work_.fail(std::move(error));
    return std::nullopt;
  }

  /// True if the engine has the call from now on: it may have ended in another thread, and be gone.
  bool ask(const std::optional<Request>& request) noexcept {
    if (!request) return false;
    this->exchange = exchange_for(*request);
    auto asked = Asked::closed;
    this->core().with_engine([&](redis::Engine& engine) { asked = begin_exchange(engine); });
    if (asked == Asked::begun) return true;
    if (asked == Asked::refused) fail(std::move(this->result().error()));
    if (asked == Asked::cancelled) fail(error_from(ErrorCode::cancelled, cancelled_error));
    if (asked == Asked::closed) fail(error_from(ErrorCode::closed, closed_error));
    return false;
  }

  Asked begin_exchange(redis::Engine& engine) noexcept {
    // No other thread knows a call that was not begun before, unless it waits to cancel it.
    std::unique_lock<std::mutex> lock;
    began_under_lock_ = was_begun_ || cancel_on_stop_;
    if (began_under_lock_) lock = this->lock();
    if (is_cancelled_ || this->options().stop.stop_requested() || this->is_abandoned()) return Asked::cancelled;
    was_begun_ = true;
    if (engine.begin(*this)) return Asked::begun;
    was_begun_ = false;
    return Asked::refused;
  }

  void end() noexcept {
    // Waits while it runs in another thread. A forked child would wait for ever: the parent's threads are not there.
    if (!this->core().is_in_child()) cancel_on_stop_.reset();
    const auto& reports = this->core().parts().reports();
    work_.end(reports);
    reports.ended(work_.operation(), begun_, this->outcome, work_.found_near());
    has_ended_ = true;
  }

  Work work_;
  CallReports::Time::time_point begun_{};
  std::optional<std::stop_callback<Cancel>> cancel_on_stop_{};
  bool is_cancelled_ = false;
  bool was_begun_ = false;
  bool began_under_lock_ = false;
  bool has_ended_ = false;
};

}}  // namespace obol::v0
