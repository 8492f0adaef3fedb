// A mutex for objects that a host passes to a store, usable in forked children.
#pragma once

#include <mutex>

#include "obol/export.hpp"

namespace obol { inline namespace v0 {

/// Like std::mutex, but every fork of the process waits until it is free, so that a child never finds it held by a
/// thread that exists only in the parent. For the host's own observers and stores. Meets the requirements of
/// std::scoped_lock. A thread may hold several, in any order. A thread that holds one must not create or destroy a
/// ForkSafeMutex and must not fork.
class OBOL_EXPORT ForkSafeMutex {
 public:
  ForkSafeMutex();
  ~ForkSafeMutex();
  ForkSafeMutex(const ForkSafeMutex&) = delete;
  ForkSafeMutex& operator=(const ForkSafeMutex&) = delete;

  /// Waits until the mutex is free and locks it.
  void lock();

  /// Locks the mutex if it is free; returns whether it did.
  bool try_lock();

  /// Unlocks the mutex. Only the thread that holds it may call this.
  void unlock();

 private:
  std::mutex mutex_;
};

}}  // namespace obol::v0
