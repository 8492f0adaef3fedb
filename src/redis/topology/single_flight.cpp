// One leads, the others wait.
#include "redis/topology/single_flight.hpp"

#include <condition_variable>
#include <optional>
#include <utility>

#include "base/on_exit.hpp"
#include "redis/connection/connection_source.hpp"

namespace obol { inline namespace v0 { namespace redis {

struct SingleFlight::Flight {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_over = false;
  std::optional<Result<void>> outcome{};  ///< None if it was broken off.

  void land() {
    const std::scoped_lock lock(mutex);
    is_over = true;
    changed.notify_all();
  }

  /// False if the deadline passes first.
  bool await(Deadline deadline) {
    std::unique_lock lock(mutex);
    return changed.wait_until(lock, deadline.time(), [this] { return is_over; });
  }
};

Result<void> SingleFlight::run(Deadline deadline, const std::function<Result<void>()>& work) {
  for (;;) {
    const auto mine = std::make_shared<Flight>();
    std::shared_ptr<Flight> flight;
    {
      const std::scoped_lock lock(mutex_);
      if (!running_) running_ = mine;
      flight = running_;
    }
    if (flight == mine) {
      // Also if the work throws: those that wait would wait in vain, and those that come later, too.
      const OnExit landing([&] {
        {
          const std::scoped_lock lock(mutex_);
          if (running_ == mine) running_.reset();
        }
        mine->land();
      });
      mine->outcome = work();
      return *mine->outcome;
    }
    if (!flight->await(deadline)) {
      return std::unexpected(Error{ErrorCode::timeout, "timed out waiting for another call to load the functions"});
    }
    const auto& outcome = flight->outcome;
    if (outcome && (*outcome || !is_transient(outcome->error()))) return *outcome;
  }
}

}}}  // namespace obol::v0::redis
