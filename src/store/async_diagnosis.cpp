#include "store/async_diagnosis.hpp"

#include <new>
#include <utility>

#include "base/background_tasks.hpp"
#include "base/on_exit.hpp"
#include "values/async_errors.hpp"
#include "values/closed_error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 {

bool AsyncDiagnosis::begin(Receiver<Outcome>& receiver) {
  set_receiver(receiver);
  if (core().is_closed()) {
    outcome = std::unexpected(error_from(ErrorCode::closed, closed_error));
    return true;
  }
  if (auto refused = refusal_of(options())) {
    outcome = std::unexpected(std::move(*refused));
    return true;
  }
  try {
    // Once the task has begun, the call may have ended, and be gone.
    if (start()) return false;
    outcome = std::unexpected(Error{ErrorCode::internal, "no thread could be started to ask the server"});
  } catch (const std::bad_alloc&) {
    outcome = std::unexpected(out_of_memory());
  }
  return true;
}

bool AsyncDiagnosis::start() {
  auto& aside = core().aside();
  auto id = aside.add([this] {
    outcome = std::unexpected(error_from(ErrorCode::closed, closed_error));
    defer();
  });
  bool has_begun = false;
  const OnExit forget([&] {
    if (!has_begun) aside.end(id, [] {});
  });
  has_begun = BackgroundTasks::start([this, id, core = shared_core()] {
    auto found = within_memory([&] { return core->parts().diagnose(); });
    core->end_aside(id, [&](redis::Engine& engine) {
      outcome = std::move(found);
      engine.deliver(*this, options().executor);
    });
  });
  return has_begun;
}

void AsyncDiagnosis::abandon() noexcept {
  const auto held = lock();
  set_abandoned();
}

}}  // namespace obol::v0
