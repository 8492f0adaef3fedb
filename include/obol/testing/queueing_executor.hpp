// An executor that keeps what it is given until the test runs it.
#pragma once

#include <mutex>
#include <utility>

#include "obol/executor.hpp"

namespace obol::testing {

/// For tests that say when handlers run: `executor.take().run()`. Thread-safe.
class QueueingExecutor final : public Executor {
 public:
  /// Appends to the queue.
  void post(Completions ready) noexcept override {
    const std::scoped_lock lock(mutex_);
    queue_.append(std::move(ready));
  }

  /// Gives all that was posted until now.
  Completions take() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(queue_, {});
  }

 private:
  std::mutex mutex_;
  Completions queue_;
};

}  // namespace obol::testing
