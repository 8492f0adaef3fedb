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
#include "obol/keyring.hpp"
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
      const Turn turn(*this, lock);
      run_round();
    }
  }

 private:
  /// In which this caller drives, and others find the lock free.
  class Turn {
   public:
    Turn(DrivenByHand& driving, std::unique_lock<std::mutex>& lock) : driving_(driving), lock_(lock) {
      driving_.is_driven_ = true;
      lock_.unlock();
    }
    ~Turn() {
      lock_.lock();
      driving_.is_driven_ = false;
      driving_.changed_.notify_all();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    DrivenByHand& driving_;
    std::unique_lock<std::mutex>& lock_;
  };

  void run_round() {
    pollfd watched{.fd = store_.descriptor(), .events = POLLIN, .revents = 0};
    constexpr int minute = 60'000;
    const auto ready = ::poll(&watched, 1, minute);
    if (ready == 0) throw std::runtime_error("the store's descriptor was not readable in time");
    if (ready == 1) store_.run_ready();  // Otherwise a signal came.
  }

  AsyncSessionStore& store_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_driven_ = false;  ///< By one of the callers.
};

/// `Driving` is made of the store; its `options` are those of the next call, and its `outcome_of` gives the outcome of
/// a call that has not begun.
template <class Driving, class Store = AsyncSessionStore>
class BlockingFacade final : public SessionStore {
 public:
  template <class... Arguments>
  explicit BlockingFacade(std::unique_ptr<Store> store, Arguments&&... of_driving)
      : store_(std::move(store)), driving_(*store_, std::forward<Arguments>(of_driving)...) {}

  Store& store() { return *store_; }

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

  // What an AsyncRedisStore has beside these.

  auto get_from_replica(const SessionKey& key) {
    return driving_.outcome_of(store_->get_from_replica(key, driving_.options()));
  }
  auto get_all_from_replica(std::string_view user_id, std::string_view type) {
    return driving_.outcome_of(
        store_->get_all_from_replica(std::string(user_id), std::string(type), driving_.options()));
  }
  auto diagnose() { return driving_.outcome_of(store_->diagnose(driving_.options())); }
  auto pool_statistics() const { return store_->pool_statistics(); }
  auto near_cache_statistics() const { return store_->near_cache_statistics(); }
  auto replace_keyring(Keyring keyring) { return store_->replace_keyring(std::move(keyring)); }
  void close() { store_->close(); }

 private:
  std::unique_ptr<Store> store_;
  Driving driving_;
};

}  // namespace obol::testing
