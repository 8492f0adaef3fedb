// An asynchronous store whose calls end when the test says so.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "obol/async_session_store.hpp"
#include "obol/session_store.hpp"
#include "store/written_session.hpp"

namespace obol::testing {

/// Thread-safe, but for run_ready(). Answers that say nothing, or what another store says when the call ends.
class ScriptedStore final : public AsyncSessionStore {
 public:
  explicit ScriptedStore(std::shared_ptr<SessionStore> answers = nullptr)
      : descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), answers_(std::move(answers)) {}
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

  /// The time limit of each call, whatever its options say.
  void limit_calls(std::chrono::milliseconds limit) { limit_ = limit; }

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
  std::vector<std::string> called() const {
    const std::lock_guard lock(mutex_);
    return called_;
  }
  CallOptions last_options() const { return last_options_; }
  bool was_driven_by_two_threads() const { return was_driven_by_two_threads_; }

  AsyncCall<Result<std::optional<Session>>> get(SessionKey key, CallOptions options) override {
    return call("get " + key.id, std::move(options), [answers = answers_, key] {
      return answers ? answers->get(key) : Result<std::optional<Session>>(session_of(key));
    });
  }
  AsyncCall<Result<std::vector<std::optional<Session>>>> get_many(std::vector<SessionKey> keys,
                                                                  CallOptions options) override {
    return call("get_many", std::move(options), [answers = answers_, keys = std::move(keys)] {
      using Found = Result<std::vector<std::optional<Session>>>;
      return answers ? answers->get_many(keys) : Found(std::vector<std::optional<Session>>(keys.size()));
    });
  }
  AsyncCall<std::expected<UpsertedSession, UpsertError>> upsert(Session session, CallOptions options) override {
    return call("upsert " + session.id, std::move(options), [answers = answers_, session]() mutable {
      if (answers) return upserted(*answers, session);
      ++session.lock_version;
      return std::expected<UpsertedSession, UpsertError>(UpsertedSession{{}, session});
    });
  }
  AsyncCall<std::expected<Session, UpsertError>> rotate_id(Session session, CallOptions options) override {
    return call("rotate_id " + session.id, std::move(options), [answers = answers_, session]() mutable {
      return answers ? with_new_id(*answers, session) : std::expected<Session, UpsertError>(session);
    });
  }
  AsyncCall<Result<Deleted>> delete_one(SessionKey key, CallOptions options) override {
    return call("delete_one " + key.id, std::move(options),
                [answers = answers_, key] { return answers ? answers->delete_one(key) : Result<Deleted>(); });
  }
  AsyncCall<Result<std::vector<Session>>> get_all(std::string user_id, std::string type, CallOptions options) override {
    return call("get_all " + user_id + " " + type, std::move(options), [answers = answers_, user_id, type] {
      return answers ? answers->get_all(user_id, type) : Result<std::vector<Session>>(std::vector<Session>(3));
    });
  }
  AsyncCall<Result<Deleted>> delete_all(std::string user_id, std::string type, CallOptions options) override {
    return call("delete_all " + user_id + " " + type, std::move(options), [answers = answers_, user_id, type] {
      return answers ? answers->delete_all(user_id, type) : Result<Deleted>();
    });
  }
  AsyncCall<Result<Deleted>> delete_all(std::string user_id, std::vector<std::string> types,
                                        CallOptions options) override {
    std::string words = "delete_all " + user_id;
    for (const auto& type : types) words += " " + type;
    return call(words, std::move(options), [answers = answers_, user_id, types] {
      return answers ? answers->delete_all(user_id, types) : Result<Deleted>();
    });
  }
  AsyncCall<Result<Deleted>> delete_others(SessionKey keep, CallOptions options) override {
    return call("delete_others " + keep.id, std::move(options),
                [answers = answers_, keep] { return answers ? answers->delete_others(keep) : Result<Deleted>(); });
  }

  int descriptor() const override { return descriptor_; }

  void post(Completion& ended, Executor* executor) noexcept override {
    if (executor != nullptr) return executor->post(Completions(ended));
    const std::lock_guard lock(mutex_);
    posted_.push_back(ended);
    signal();
  }

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

  template <class Answer>
  class Call final : public PendingCall<std::invoke_result_t<Answer&>>, public Scripted {
   public:
    using T = std::invoke_result_t<Answer&>;

    Call(ScriptedStore& store, CallOptions options, Answer answer)
        : store_(store), options_(std::move(options)), answer_(std::move(answer)) {
      executor = options_.executor;
    }

    bool begin(Receiver<T>& receiver) override {
      receiver_ = &receiver;
      if (store_.outcomes_are_known_) {
        this->outcome = answer_();
        return true;
      }
      cancelled_by_.emplace(options_.stop, Cancel{*this});
      store_.add(*this);
      return false;
    }
    void defer() noexcept override { store_.defer(*this); }
    void abandon() noexcept override {}
    void cancel() noexcept override { store_.cancel(*this); }
    std::optional<std::chrono::milliseconds> time_limit() const override { return store_.limit_; }
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
        this->outcome = answer_();
      }
      receiver_->receive(std::unique_ptr<PendingCall<T>>(this));
    }
    void drop() noexcept override {
      receiver_->drop();
      delete this;
    }

    ScriptedStore& store_;
    CallOptions options_;
    Answer answer_;
    Receiver<T>* receiver_ = nullptr;
    std::optional<std::stop_callback<Cancel>> cancelled_by_;
  };

  template <class Answer>
  AsyncCall<std::invoke_result_t<Answer&>> call(std::string name, CallOptions options, Answer answer) {
    const std::lock_guard lock(mutex_);
    called_.push_back(std::move(name));
    last_options_ = options;
    return AsyncCall<std::invoke_result_t<Answer&>>(
        std::make_unique<Call<Answer>>(*this, std::move(options), std::move(answer)));
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
      here_.append(std::move(posted_));
    }
    std::map<Executor*, Completions> rounds;
    for (Scripted* const call : ended) {
      (call->executor == nullptr ? here_ : rounds[call->executor]).push_back(*call);
    }
    for (auto& [executor, round] : rounds) executor->post(std::move(round));
  }

  const int descriptor_;
  const std::shared_ptr<SessionStore> answers_;
  std::atomic<bool> outcomes_are_known_ = false;
  std::chrono::milliseconds limit_ = std::chrono::seconds(9);
  mutable std::mutex mutex_;
  std::vector<Scripted*> in_flight_;
  std::vector<Scripted*> ended_;
  std::vector<std::string> called_;
  CallOptions last_options_;
  Completions posted_;
  Completions here_;  ///< Of calls without an executor.
  std::atomic<bool> is_driven_ = false;
  std::atomic<bool> was_driven_by_two_threads_ = false;
};

}  // namespace obol::testing
