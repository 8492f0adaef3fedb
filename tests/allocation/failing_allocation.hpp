// Lets allocations of one thread fail: operator new throws std::bad_alloc, hiredis' malloc gives null.
#pragma once

#include <cstddef>
#include <functional>

namespace obol::testing {

/// How many allocations of a call fail in turn at most; more than any call makes.
constexpr std::size_t most_allocations = 20'000;

enum class Failing { once, from_then_on };

/// While it lives, of this thread's allocations the one behind `passed` others fails, or all from that one on. One at a
/// time in a thread.
class FailingAllocation {
 public:
  FailingAllocation(std::size_t passed, Failing failing);
  ~FailingAllocation();
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;

  /// False if there were not so many allocations.
  bool has_failed() const;

  /// How many were asked for until now.
  std::size_t count() const;
};

/// Makes the call again and again, each time with a later one of its allocations failing, until it needs no more.
/// `prepare` comes before each, `check` behind it; it is told whether the call came back, or threw std::bad_alloc.
void fail_each(Failing failing, const std::function<void()>& prepare, const std::function<void()>& call,
               const std::function<void(bool came_back)>& check);

/// What the program holds now.
std::size_t allocated_bytes();

}  // namespace obol::testing
