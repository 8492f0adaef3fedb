// Checks that a function is not entered while it runs.
#pragma once

#include <atomic>
#include <cassert>

namespace obol { inline namespace v0 {

/// For functions that one thread at a time may call, and that must not be called from within. A debug build asserts it.
class OneAtATime {
 public:
  class Visit {
   public:
    explicit Visit(OneAtATime& place) : place_(place) {
      [[maybe_unused]] const bool is_taken = place_.is_taken_.test_and_set();
      assert(!is_taken && "a function is called by two threads at once, or from within itself");
    }
    ~Visit() { place_.is_taken_.clear(); }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

   private:
    OneAtATime& place_;
  };

 private:
  std::atomic_flag is_taken_;
};

}}  // namespace obol::v0
