// Records what the handler of a watch is told.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "obol/session_watch.hpp"
#include "support/await.hpp"

namespace obol::testing {

/// Thread-safe. Handlers share what they record, so that they may outlive this.
class WatchEvents {
 public:
  SessionWatchHandler handler() const {
    return [shared = shared_](const SessionWatchEvent& event) {
      const std::scoped_lock lock(shared->mutex);
      shared->events.push_back(event);
      shared->last_at = std::chrono::steady_clock::now();
    };
  }

  std::vector<SessionWatchEvent> all() const {
    const std::scoped_lock lock(shared_->mutex);
    return shared_->events;
  }
  std::size_t count() const { return all().size(); }
  std::chrono::steady_clock::time_point last_at() const {
    const std::scoped_lock lock(shared_->mutex);
    return shared_->last_at;
  }

  /// Waits for so many events and gives the last one.
  SessionWatchEvent await(std::size_t wanted = 1) const {
    testing::await("events of a watch: " + std::to_string(wanted), [&] { return count() >= wanted; });
    return all().back();
  }

 private:
  struct Shared {
    std::mutex mutex;
    std::vector<SessionWatchEvent> events;
    std::chrono::steady_clock::time_point last_at{};
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

inline constexpr SessionWatchEvent removed_event{.status = SessionStatus::ended, .end = SessionEnd::removed};
inline constexpr SessionWatchEvent expired_event{.status = SessionStatus::ended, .end = SessionEnd::expired};
inline constexpr SessionWatchEvent unknown_event{.status = SessionStatus::unknown};
inline constexpr SessionWatchEvent live_event{.status = SessionStatus::live};

}  // namespace obol::testing
