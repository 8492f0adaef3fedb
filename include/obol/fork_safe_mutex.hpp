// A mutex for what a host gives a store, so that a forked child can use it.
#pragma once

#include <mutex>

#include "obol/export.hpp"

namespace obol::inline v0 {

/// Like std::mutex, but every fork of the process waits until it is free, so that a child never finds it held by a
/// thread that only the parent has. For observers and stores of the host's own that lock. Meets the requirements of
/// std::scoped_lock. Several may be held at once, in any order; none may be created or destroyed, and the process must
/// not be forked, by a thread that holds one.
class OBOL_EXPORT ForkSafeMutex {
 public:
  ForkSafeMutex();
  ~ForkSafeMutex();
  ForkSafeMutex(const ForkSafeMutex&) = delete;
  ForkSafeMutex& operator=(const ForkSafeMutex&) = delete;

  /// Waits until the mutex is free and takes it.
  void lock();

  /// Takes the mutex if it is free; returns whether it did.
  bool try_lock();

  /// Gives the mutex back. Only the thread that holds it may call this.
  void unlock();

 private:
  std::mutex mutex_;
};

}  // namespace obol::inline v0
