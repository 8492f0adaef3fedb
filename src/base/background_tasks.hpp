// Runs what may block in threads of their own; for what is rare.
#pragma once

#include <chrono>
#include <functional>

namespace obol { inline namespace v0 {

/// Of the whole process. Thread-safe.
class BackgroundTasks {
 public:
  using Task = std::move_only_function<void()>;

  /// Runs the task in a detached thread, which handles none of the host's signals, and destroys it there. False, and
  /// the task is destroyed without having run, if there is no thread or no memory for that. A task may end with
  /// std::bad_alloc, and with no other exception.
  static bool start(Task task) noexcept;

  /// Returns once no task is left, tasks that are started meanwhile included. False if some are at the time limit. At
  /// the end of the process nobody has to wait: OpensslUse keeps tasks out of an OpenSSL that is torn down.
  static bool await_none(std::chrono::milliseconds most);

  /// For the fork handlers: the threads are not here.
  static void forget_in_child();
};

}}  // namespace obol::v0
