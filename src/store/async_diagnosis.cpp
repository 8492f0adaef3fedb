#include "store/async_diagnosis.hpp"

#include <new>
#include <utility>

#include "base/background_tasks.hpp"
#include "values/closed_error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 {

bool AsyncDiagnosis::begin(Receiver<Outcome>& receiver) {
  set_receiver(receiver);
  if (core().is_closed()) {
    outcome = std::unexpected(error_from(ErrorCode::closed, closed_error));
    return true;
  }
  try {
    return !start();
  } catch (const std::bad_alloc&) {
    outcome = std::unexpected(out_of_memory());
    return true;
  }
}

// Once the task has begun, the call may have ended, and be gone.
bool AsyncDiagnosis::start() {
  auto& aside = core().aside();
  const auto id = aside.add([this] { end(std::unexpected(error_from(ErrorCode::closed, closed_error))); });
  const auto task = [this, id, core = shared_core()] {
    auto found = within_memory([&] { return core->parts().diagnose(); });
    core->aside().end(id, [&] { end(std::move(found)); });
  };
  if (BackgroundTasks::start(task)) return true;
  aside.end(id, [&] {
    outcome = std::unexpected(error_from(ErrorCode::internal, [] {
      return Error{ErrorCode::internal, "no thread could be started to ask the server"};
    }));
  });
  return false;
}

void AsyncDiagnosis::abandon() noexcept {
  const auto held = lock();
  set_abandoned();
}

void AsyncDiagnosis::end(Outcome found) noexcept {
  outcome = std::move(found);
  if (!core().deliver(*this, options().executor)) drop();
}

}}  // namespace obol::v0
