// Where the handlers of asynchronous calls run.
#pragma once

#include <cstddef>
#include <utility>

#include "obol/export.hpp"

namespace obol { inline namespace v0 {

/// An asynchronous call that has ended and whose caller has not been told yet. Stores derive from it.
class OBOL_EXPORT Completion {
 public:
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

 protected:
  Completion() = default;
  virtual ~Completion() = default;

 private:
  friend class Completions;

  /// Tells the caller, which may destroy this. Throws what the caller's handler throws.
  virtual void complete() = 0;
  /// Destroys this; the caller is never told.
  virtual void drop() noexcept = 0;

  Completion* next_ = nullptr;
};

/// A chain of calls that have ended, in the order in which they ended. Needs no memory. Not thread-safe; may be given
/// to another thread.
class OBOL_EXPORT Completions {
 public:
  Completions() = default;
  /// One call; for stores.
  explicit Completions(Completion& ended) noexcept { push_back(ended); }
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;
  /// Takes the calls of the other chain and leaves it empty.
  Completions(Completions&& other) noexcept : last_(std::exchange(other.last_, nullptr)) {}
  /// The same; drops the calls that were here.
  Completions& operator=(Completions&& other) noexcept;
  /// Drops the calls that were not run, as the queue of an event loop that has ended does: their callers are never
  /// told. Handlers are destroyed, coroutines stay suspended.
  ~Completions();

  /// True if there is nothing to run.
  bool empty() const noexcept { return last_ == nullptr; }

  /// Tells the caller of each call, in this thread. If a handler throws, the exception leaves this function, and the
  /// calls behind that one stay in the chain: run() may be called again.
  void run();

  /// The same for the first `most` calls; the others stay in the chain. For a host that looks after other work between.
  void run_some(std::size_t most);

  /// Gives the chain up as a pointer, for a host whose queue takes no object; empty afterwards. Null if it was empty.
  [[nodiscard]] void* release() noexcept { return std::exchange(last_, nullptr); }

  /// Takes back what release() gave.
  static Completions adopt(void* released) noexcept;

  /// Adds a call behind the others; for stores.
  void push_back(Completion& ended) noexcept;

  /// Adds all calls of another chain behind the others, and leaves that one empty.
  void append(Completions&& others) noexcept;

 private:
  Completion* pop_front() noexcept;

  Completion* last_ = nullptr;  ///< The links form a ring.
};

/// Runs handlers in a thread, an event loop or a pool of the host. Must outlive every call that names it.
class OBOL_EXPORT Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;

  /// Takes all calls that ended in one round, and runs them soon: `ready.run()`, but never inside this function. Called
  /// from any thread. If the loop has ended, the calls must be destroyed (see ~Completions) or still be run.
  virtual void post(Completions ready) noexcept = 0;
};

}}  // namespace obol::v0
