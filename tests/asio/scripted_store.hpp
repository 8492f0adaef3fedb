// An asynchronous store whose calls end when the test says so.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "obol/async_session_store.hpp"

namespace obol::testing {

/// Thread-safe, but for run_ready().
class ScriptedStore final : public AsyncSessionStore {
 public:
  ScriptedStore() : descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  // Ends what is left with `closed`, as stores do.
  ~ScriptedStore() override {
    end_all(ErrorCode::closed);
    hand_out();
    here_.run();
    close(descriptor_);
  }
  ScriptedStore(const ScriptedStore&) = delete;
  ScriptedStore& operator=(const ScriptedStore&) = delete;

  /// The outcome of a call is known as it begins.
  void know_outcomes() { outcomes_are_known_ = true; }

  /// Every call that is in flight ends: well, or with an error.
  void end_all(std::optional<ErrorCode> error = std::nullopt) {
    const std::lock_guard lock(mutex_);
    while (!in_flight_.empty()) end(*in_flight_.front(), error);
  }

  std::size_t in_flight() const {
    const std::lock_guard lock(mutex_);
    return in_flight_.size();
  }
  /// The functions that were called, in order.
  std::vector<std::string> called() const { return called_; }
  CallOptions last_options() const { return last_options_; }
  bool was_driven_by_two_threads() const { return was_driven_by_two_threads_; }

  AsyncCall<Result<std::optional<Session>>> get(SessionKey key, CallOptions options) override {
    return call<Result<std::optional<Session>>>("get " + key.id, std::move(options), session_of(key));
  }
  AsyncCall<Result<std::vector<std::optional<Session>>>> get_many(std::vector<SessionKey> keys,
                                                                  CallOptions options) override {
    return call<Result<std::vector<std::optional<Session>>>>("get_many", std::move(options),
                                                             std::vector<std::optional<Session>>(keys.size()));
  }
  AsyncCall<std::expected<UpsertedSession, UpsertError>> upsert(Session session, CallOptions options) override {
    ++session.lock_version;
    return call<std::expected<UpsertedSession, UpsertError>>("upsert " + session.id, std::move(options),
                                                             UpsertedSession{{}, session});
  }
  AsyncCall<std::expected<Session, UpsertError>> rotate_id(Session session, CallOptions options) override {
    return call<std::expected<Session, UpsertError>>("rotate_id " + session.id, std::move(options), session);
  }
  AsyncCall<Result<Deleted>> delete_one(SessionKey key, CallOptions options) override {
    return call<Result<Deleted>>("delete_one " + key.id, std::move(options), Deleted{});
  }
  AsyncCall<Result<std::vector<Session>>> get_all(std::string user_id, std::string type, CallOptions options) override {
    return call<Result<std::vector<Session>>>("get_all " + user_id + " " + type, std::move(options),
                                              std::vector<Session>(3));
  }
  AsyncCall<Result<Deleted>> delete_all(std::string user_id, std::string type, CallOptions options) override {
    return call<Result<Deleted>>("delete_all " + user_id + " " + type, std::move(options), Deleted{});
  }
  AsyncCall<Result<Deleted>> delete_all(std::string user_id, std::vector<std::string> types,
                                        CallOptions options) override {
    std::string words = "delete_all " + user_id;
    for (const auto& type : types) words += " " + type;
    return call<Result<Deleted>>(words, std::move(options), Deleted{});
  }
  AsyncCall<Result<Deleted>> delete_others(SessionKey keep, CallOptions options) override {
    return call<Result<Deleted>>("delete_others " + keep.id, std::move(options), Deleted{});
  }

  int descriptor() const override { return descriptor_; }

  void run_ready() override {
    if (is_driven_.exchange(true)) was_driven_by_two_threads_ = true;
    std::uint64_t count = 0;
    static_cast<void>(read(descriptor_, &count, sizeof count));
    hand_out();
    try {
      here_.run();
    } catch (...) {
      signal();
      is_driven_ = false;
      throw;
    }
    is_driven_ = false;
  }

 private:
  struct Scripted : Completion {
    std::optional<ErrorCode> error;
    Executor* executor = nullptr;
    bool is_cancelled = false;
  };

  template <class T>
  class Call final : public PendingCall<T>, public Scripted {
   public:
    Call(ScriptedStore& store, CallOptions options, T answer)
        : store_(store), options_(std::move(options)), answer_(std::move(answer)) {
      executor = options_.executor;
    }

    bool begin(Receiver<T>& receiver) override {
      receiver_ = &receiver;
      if (store_.outcomes_are_known_) {
        this->outcome = std::move(answer_);
        return true;
      }
      cancelled_by_.emplace(options_.stop, Cancel{*this});
      store_.add(*this);
      return false;
    }
    void defer() noexcept override { store_.defer(*this); }
    void abandon() noexcept override {}
    Result<std::chrono::milliseconds> longest_wait() const override { return std::chrono::seconds(10); }

   private:
    struct Cancel {
      Call& call;
      void operator()() noexcept { call.store_.cancel(call); }
    };

    void complete() override {
      cancelled_by_.reset();
      if (error) {
        typename T::error_type failure{};
        failure.code = *error;
        this->outcome = std::unexpected(std::move(failure));
      } else {
        this->outcome = std::move(answer_);
      }
      receiver_->receive(std::unique_ptr<PendingCall<T>>(this));
    }
    void drop() noexcept override {
      receiver_->drop();
      delete this;
    }

    ScriptedStore& store_;
    CallOptions options_;
    T answer_;
    Receiver<T>* receiver_ = nullptr;
    std::optional<std::stop_callback<Cancel>> cancelled_by_;
  };

  template <class T>
  AsyncCall<T> call(std::string name, CallOptions options, std::type_identity_t<T> answer) {
    const std::lock_guard lock(mutex_);
    called_.push_back(std::move(name));
    last_options_ = options;
    return AsyncCall<T>(std::make_unique<Call<T>>(*this, std::move(options), std::move(answer)));
  }
  static std::optional<Session> session_of(const SessionKey& key) {
    Session session;
    session.id = key.id;
    session.user_id = key.user_id;
    return session;
  }

  void add(Scripted& call) {
    const std::lock_guard lock(mutex_);
    in_flight_.push_back(&call);
    if (call.is_cancelled) end(call, ErrorCode::cancelled);
  }
  void cancel(Scripted& call) {
    const std::lock_guard lock(mutex_);
    call.is_cancelled = true;
    if (std::ranges::find(in_flight_, &call) != in_flight_.end()) end(call, ErrorCode::cancelled);
  }
  void defer(Scripted& call) {
    const std::lock_guard lock(mutex_);
    ended_.push_back(&call);
    signal();
  }
  // With the lock.
  void end(Scripted& call, std::optional<ErrorCode> error) {
    call.error = error;
    std::erase(in_flight_, &call);
    ended_.push_back(&call);
    signal();
  }
  void signal() const {
    const std::uint64_t one = 1;
    static_cast<void>(write(descriptor_, &one, sizeof one));
  }
  void hand_out() {
    std::vector<Scripted*> ended;
    {
      const std::lock_guard lock(mutex_);
      ended.swap(ended_);
    }
    std::map<Executor*, Completions> rounds;
    for (Scripted* const call : ended) {
      (call->executor == nullptr ? here_ : rounds[call->executor]).push_back(*call);
    }
    for (auto& [executor, round] : rounds) executor->post(std::move(round));
  }

  const int descriptor_;
  std::atomic<bool> outcomes_are_known_ = false;
  mutable std::mutex mutex_;
  std::vector<Scripted*> in_flight_;
  std::vector<Scripted*> ended_;
  std::vector<std::string> called_;
  CallOptions last_options_;
  Completions here_;  ///< Of calls without an executor.
  std::atomic<bool> is_driven_ = false;
  std::atomic<bool> was_driven_by_two_threads_ = false;
};

}  // namespace obol::testing
