// Asynchronous stores in tests, driven by the thread of the test.
#pragma once

#include <poll.h>

#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "obol/async_redis_store.hpp"
#include "support/sessions.hpp"

namespace obol::testing {

/// For stores that connect within ample_timeouts.
inline AsyncRedisStore async_connected(const RedisStoreOptions& options) {
  auto store = AsyncRedisStore::connect(options);
  if (!store) throw std::runtime_error(store.error().message);
  return std::move(*store);
}

/// Lets the store do its work until the condition holds; throws std::runtime_error after a minute.
inline void drive_until(AsyncSessionStore& store, const std::string& what, const std::function<bool()>& holds) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error("waited in vain for " + what);
    pollfd watched{.fd = store.descriptor(), .events = POLLIN, .revents = 0};
    // Also looks at conditions that other threads bring about.
    if (::poll(&watched, 1, 10) == 1) store.run_ready();
  }
}

/// The outcome of a call that was begun with a handler.
template <class T>
class Told {
 public:
  explicit Told(AsyncCall<T> call) {
    std::move(call).start([this](T outcome) {
      ++times_;
      outcome_.emplace(std::move(outcome));
    });
  }
  Told(const Told&) = delete;
  Told& operator=(const Told&) = delete;
  ~Told() = default;

  int times() const { return times_; }
  explicit operator bool() const { return times_ > 0; }
  T& operator*() { return *outcome_; }
  T* operator->() { return &*outcome_; }
  std::error_code code() const { return outcome_->has_value() ? std::error_code() : outcome_->error().code; }

 private:
  int times_ = 0;
  std::optional<T> outcome_{};
};

template <class T>
T outcome_of(AsyncSessionStore& store, AsyncCall<T> call) {
  Told<T> told(std::move(call));
  drive_until(store, "the outcome of a call", [&] { return told.times() > 0; });
  return std::move(*told);
}

}  // namespace obol::testing
