// Counts tasks, so that somebody can wait for them.
#include "base/background_tasks.hpp"

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "base/signals_blocked.hpp"

namespace obol { inline namespace v0 {
namespace {

// Has no destructor: tasks may run while static objects are being destroyed.
constinit std::atomic<std::uint32_t> tasks{0};

/// Counted until the task is destroyed, with all that it holds.
void run(BackgroundTasks::Task task) noexcept {
  constexpr auto name = "obol-background";  // 15 characters at most.
  ::pthread_setname_np(::pthread_self(), name);
  try {
    auto own = std::move(task);
    own();
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): what the task did not do stays undone.
  }
  --tasks;
}

}  // namespace

bool BackgroundTasks::start(Task task) noexcept {
  ++tasks;
  try {
    const SignalsBlocked blocked;
    std::thread(run, std::move(task)).detach();
    return true;
  } catch (const std::system_error&) {  // NOLINT(bugprone-empty-catch): there is no thread.
  } catch (const std::bad_alloc&) {     // NOLINT(bugprone-empty-catch): or no memory for it.
  }
  --tasks;
  return false;
}

// Tasks are rare: it looks again and again, so that the end of a task need not look for it.
bool BackgroundTasks::await_none(std::chrono::milliseconds most) {
  using Time = std::chrono::steady_clock;
  const auto ends = Time::now() + most;
  while (tasks != 0) {
    if (Time::now() >= ends) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return true;
}

void BackgroundTasks::forget_in_child() { tasks = 0; }

}}  // namespace obol::v0
