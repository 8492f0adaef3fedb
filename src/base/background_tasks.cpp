// Counts tasks, so that somebody can wait for them.
#include "base/background_tasks.hpp"

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <new>
#include <thread>
#include <utility>

#include "base/on_exit.hpp"
#include "base/openssl_use.hpp"
#include "base/signals_blocked.hpp"

namespace obol { inline namespace v0 {
namespace {

// Has no destructor: tasks may run while static objects are being destroyed.
constinit std::atomic<std::uint32_t> tasks{0};

/// Counted until the task is destroyed, with all that it holds.
void run(BackgroundTasks::Task task) noexcept {
  constexpr auto name = "obol-background";  // 15 characters at most.
  ::pthread_setname_np(::pthread_self(), name);
  const OnExit end([] { --tasks; });
  try {
    auto own = std::move(task);
    own();
  } catch (const std::bad_alloc&) {
    return;
  }
}

bool start_thread(BackgroundTasks::Task task) noexcept {
  try {
    const SignalsBlocked blocked;
    std::thread([own = std::move(task)]() mutable {
      run(std::move(own));
      OpensslUse::end_thread();
    }).detach();
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

bool BackgroundTasks::start(Task task) noexcept {
  ++tasks;
  const bool is_started = start_thread(std::move(task));
  if (!is_started) --tasks;
  return is_started;
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
