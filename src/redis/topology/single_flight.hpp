// What many want done at the same time is done by one of them.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "base/fork_registration.hpp"
#include "obol/error.hpp"
#include "redis/core/deadline.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Thread-safe.
class SingleFlight {
 public:
  SingleFlight() : fork_registration_(mutex_, [this] { running_.reset(); }) {}

  /// Does the work in this thread, or waits for the thread that does it now and gives its outcome: where that failed
  /// for a passing reason, perhaps for want of time, or threw, it is done again. `timeout` at the deadline. What the
  /// work throws comes out of the call that does it.
  Result<void> run(Deadline deadline, const std::function<Result<void>()>& work);

 private:
  struct Flight;

  std::mutex mutex_;
  std::shared_ptr<Flight> running_;
  ForkRegistration fork_registration_;
};

}}}  // namespace obol::v0::redis
