// An asynchronous store as a SessionStore that blocks, so that the suites for those run on it; and ways to drive it.
#pragma once

#include <poll.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "obol/async_session_store.hpp"
#include "obol/background_driver.hpp"
#include "obol/session_store.hpp"

namespace obol::testing {

/// A thread of its own drives the store; callers wait.
class DrivenInBackground {
 public:
  explicit DrivenInBackground(AsyncSessionStore& store) : driver_(store) {}

  CallOptions options() { return {}; }

  template <class T>
  T outcome_of(AsyncCall<T> call) {
    return std::move(call).future().get();
  }

 private:
  BackgroundDriver driver_;
};

/// The callers drive the store, one at a time, until they have their outcome.
class DrivenByHand {
 public:
  explicit DrivenByHand(AsyncSessionStore& store) : store_(store) {}

  CallOptions options() { return {}; }

  template <class T>
  T outcome_of(AsyncCall<T> call) {
    auto outcome = std::move(call).future();
    const auto is_there = [&] { return outcome.wait_for(std::chrono::seconds(0)) == std::future_status::ready; };
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return is_there() || !is_driven_; });
      if (is_there()) return outcome.get();
      is_driven_ = true;
      lock.unlock();
      run_round();
      lock.lock();
      is_driven_ = false;
      changed_.notify_all();
    }
  }

 private:
  void run_round() {
    pollfd watched{.fd = store_.descriptor(), .events = POLLIN, .revents = 0};
    constexpr int minute = 60'000;
    if (::poll(&watched, 1, minute) != 1) throw std::runtime_error("the store's descriptor was not readable in time");
    store_.run_ready();
  }

  AsyncSessionStore& store_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_driven_ = false;  ///< By one of the callers.
};

/// `Driving` is made of the store; its `options` are those of the next call, and its `outcome_of` gives the outcome of
/// a call that has not begun.
template <class Driving>
class BlockingFacade final : public SessionStore {
 public:
  template <class... Arguments>
  explicit BlockingFacade(std::unique_ptr<AsyncSessionStore> store, Arguments&&... of_driving)
      : store_(std::move(store)), driving_(*store_, std::forward<Arguments>(of_driving)...) {}

  AsyncSessionStore& store() { return *store_; }

  Result<std::optional<Session>> get(const SessionKey& key) override {
    return driving_.outcome_of(store_->get(key, driving_.options()));
  }

  Result<std::vector<std::optional<Session>>> get_many(std::span<const SessionKey> keys) override {
    return driving_.outcome_of(store_->get_many({keys.begin(), keys.end()}, driving_.options()));
  }

  std::expected<Upserted, UpsertError> upsert(Session& session) override {
    auto outcome = driving_.outcome_of(store_->upsert(session, driving_.options()));
    if (!outcome) return std::unexpected(std::move(outcome.error()));
    session = std::move(outcome->session);
    return Upserted(std::move(*outcome));
  }

  std::expected<void, UpsertError> rotate_id(Session& session) override {
    auto outcome = driving_.outcome_of(store_->rotate_id(session, driving_.options()));
    if (!outcome) return std::unexpected(std::move(outcome.error()));
    session = std::move(*outcome);
    return {};
  }

  Result<Deleted> delete_one(const SessionKey& key) override {
    return driving_.outcome_of(store_->delete_one(key, driving_.options()));
  }

  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override {
    return driving_.outcome_of(store_->get_all(std::string(user_id), std::string(type), driving_.options()));
  }

  Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override {
    return driving_.outcome_of(store_->delete_all(std::string(user_id), std::string(type), driving_.options()));
  }

  Result<Deleted> delete_all(std::string_view user_id, std::span<const std::string> types) override {
    return driving_.outcome_of(
        store_->delete_all(std::string(user_id), std::vector(types.begin(), types.end()), driving_.options()));
  }

  Result<Deleted> delete_others(const SessionKey& keep) override {
    return driving_.outcome_of(store_->delete_others(keep, driving_.options()));
  }

 private:
  std::unique_ptr<AsyncSessionStore> store_;
  Driving driving_;
};

}  // namespace obol::testing
