// Keeps an object usable in a forked child: its mutex is free there, and it may drop what belongs to the parent.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>

namespace obol::inline v0 {

/// While it lives, every fork of the process first takes `mutex`, so that no other thread holds it in the child, and
/// runs `in_child` there before letting it go. Make it the last member of its owner; never create or destroy one while
/// holding a registered mutex.
class ForkRegistration {
 public:
  ForkRegistration(std::mutex& mutex, std::function<void()> in_child);
  ~ForkRegistration();
  ForkRegistration(const ForkRegistration&) = delete;
  ForkRegistration& operator=(const ForkRegistration&) = delete;

  std::mutex& mutex() const { return mutex_; }
  void run_in_child() const { in_child_(); }

 private:
  std::mutex& mutex_;
  std::function<void()> in_child_;
};

/// Differs between a process and its forked children.
std::uint64_t fork_generation();

}  // namespace obol::inline v0
