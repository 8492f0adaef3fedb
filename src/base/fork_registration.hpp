// Keeps an object usable in a forked child: its mutex is free there, and it may drop what belongs to the parent.
#pragma once

#include <functional>
#include <mutex>

namespace obol { inline namespace v0 {

/// While it lives, every fork of the process first takes `mutex`, so that no other thread holds it in the child, and
/// runs `in_child` there before letting it go. Make it the last member of its owner; never create or destroy one while
/// holding a registered mutex. Registered mutexes may be nested in any order.
class ForkRegistration {
 public:
  explicit ForkRegistration(std::mutex& mutex, std::function<void()> in_child = {});
  /// The same without a mutex: `in_child` takes no lock.
  explicit ForkRegistration(std::function<void()> in_child);
  ~ForkRegistration();
  ForkRegistration(const ForkRegistration&) = delete;
  ForkRegistration& operator=(const ForkRegistration&) = delete;

  void run_in_child() const {
    if (in_child_) in_child_();
  }

 private:
  std::mutex* const mutex_;
  const std::function<void()> in_child_;
};

}}  // namespace obol::v0
