// A clock in the test's hand, for options.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

#include "obol/clock.hpp"

namespace obol::testing {

/// Time stands still unless the test lets it pass: a race lasts no longer than an overlap, on any machine. Thread-safe.
class HandClock {
 public:
  /// Begins at the system's time.
  HandClock()
      : seconds_(std::make_shared<std::atomic<std::int64_t>>(
            std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()).time_since_epoch().count())) {}

  /// Returns the clock for options.
  Clock clock() const {
    return [seconds = seconds_] { return std::chrono::system_clock::time_point(std::chrono::seconds(*seconds)); };
  }
  /// Returns its time.
  std::chrono::sys_seconds now() const { return std::chrono::sys_seconds(std::chrono::seconds(*seconds_)); }
  /// Sets it forward, or back.
  void pass(std::chrono::seconds duration) const { *seconds_ += duration.count(); }

 private:
  std::shared_ptr<std::atomic<std::int64_t>> seconds_;
};

}  // namespace obol::testing
