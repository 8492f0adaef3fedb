// Callers of an asynchronous store of whom some give up: they cancel their call, or have little time for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <queue>
#include <random>
#include <stop_token>
#include <thread>
#include <vector>

#include "obol/async_session_store.hpp"
#include "support/blocking_facade.hpp"

namespace obol::testing::history {

/// Cancels calls at random moments: before they begin, while they are on their way, and after their end.
class Cancellations {
 public:
  /// Of a call that begins now, and will be cancelled after `delay`.
  std::stop_token cancel_after(std::chrono::microseconds delay);

 private:
  using Clock = std::chrono::steady_clock;
  struct Due {
    Clock::time_point at;
    std::stop_source source;
    bool operator>(const Due& other) const { return at > other.at; }
  };

  void cancel_when_due(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::jthread thread_{[this](const std::stop_token& stop) { cancel_when_due(stop); }};
};

/// For BlockingFacade. Drives in the background.
class Impatient {
 public:
  /// Without `has_limits` callers cancel but have as much time as the store gives them.
  Impatient(AsyncSessionStore& store, std::uint64_t seed, bool has_limits)
      : driven_(store), random_(seed), has_limits_(has_limits) {}

  CallOptions options();

  template <class T>
  T outcome_of(AsyncCall<T> call) {
    return driven_.outcome_of(std::move(call));
  }

 private:
  std::uint32_t any(std::uint32_t count) { return std::uniform_int_distribution<std::uint32_t>(0, count - 1)(random_); }

  Cancellations cancellations_;
  DrivenInBackground driven_;
  std::mutex mutex_;
  std::mt19937_64 random_;
  const bool has_limits_;
};

}  // namespace obol::testing::history
