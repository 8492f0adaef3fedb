// One leads, the others wait.
#include "redis/single_flight.hpp"

#include <condition_variable>
#include <optional>
#include <utility>

#include "redis/connection_source.hpp"

namespace obol::inline v0::redis {

struct SingleFlight::Flight {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Result<void>> outcome;

  void land(Result<void> result) {
    const std::scoped_lock lock(mutex);
    outcome = std::move(result);
    changed.notify_all();
  }

  /// Nothing where the deadline passes first.
  std::optional<Result<void>> await(Deadline deadline) {
    std::unique_lock lock(mutex);
    changed.wait_until(lock, deadline.time(), [this] { return outcome.has_value(); });
    return outcome;
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
      auto outcome = work();
      {
        const std::scoped_lock lock(mutex_);
        if (running_ == mine) running_.reset();
      }
      mine->land(outcome);
      return outcome;
    }
    const auto outcome = flight->await(deadline);
    if (!outcome) {
      return std::unexpected(Error{ErrorCode::timeout, "what another call had begun was not done in time"});
    }
    if (*outcome || !may_pass(outcome->error())) return *outcome;
  }
}

}  // namespace obol::inline v0::redis
