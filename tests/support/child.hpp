// Forked children of a test: what they do, and whether they came to an end by themselves.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "support/sanitizers.hpp"

namespace obol::testing {

/// ThreadSanitizer, and AddressSanitizer of GCC 12, have locks of their own, which may be held in a child if other
/// threads allocate or begin while the process forks. AddressSanitizer of clang 19 takes its locks before a fork.
/// Sources: https://github.com/llvm/llvm-project/pull/75290, https://github.com/llvm/llvm-project/pull/96600
#if defined(__clang__)
constexpr bool can_fork_beside_busy_threads = OBOL_THREAD_SANITIZER == 0;
#else
constexpr bool can_fork_beside_busy_threads = !is_sanitized;
#endif

/// A child of this process. It must not use gtest: what it finds is told by its end.
class Child {
 public:
  /// Forks. The child runs `work` and ends, without destroying anything, well if that gives true. One that takes longer
  /// than a minute prints where it stands and ends.
  explicit Child(const std::function<bool()>& work);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Waits for it. Empty: it ended well; else how it ended.
  std::string await();

 private:
  pid_t process_ = -1;
};

/// Forks one child and waits for it.
std::string run_in_child(const std::function<bool()>& work);

}  // namespace obol::testing
