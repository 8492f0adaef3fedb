// A coroutine as tests of asynchronous calls need it.
#pragma once

#include <coroutine>
#include <utility>

namespace obol::testing {

/// The return type of a coroutine that begins at once. Owns it: what is destroyed before its end is abandoned where it
/// is suspended. An exception that the coroutine throws leaves the function that resumes it.
class [[nodiscard]] Coroutine {
 public:
  class Promise;
  /// As the language calls it.
  using promise_type = Promise;

  /// Takes the coroutine over.
  Coroutine(Coroutine&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  /// Exchanges the two.
  Coroutine& operator=(Coroutine&& other) noexcept {
    std::swap(coroutine_, other.coroutine_);
    return *this;
  }
  ~Coroutine() {
    if (coroutine_) coroutine_.destroy();
  }

  /// True once it has come to its end.
  bool done() const { return coroutine_.done(); }

 private:
  friend Promise;
  explicit Coroutine(std::coroutine_handle<> coroutine) noexcept : coroutine_(coroutine) {}

  std::coroutine_handle<> coroutine_;
};

/// What the language asks for.
class Coroutine::Promise {
 public:
  /// Owns the coroutine.
  Coroutine get_return_object() noexcept { return Coroutine(std::coroutine_handle<Promise>::from_promise(*this)); }
  /// Begins at once.
  std::suspend_never initial_suspend() const noexcept { return {}; }
  /// Keeps the frame until its owner destroys it.
  std::suspend_always final_suspend() const noexcept { return {}; }
  /// Nothing is returned.
  void return_void() const noexcept {}
  /// Passes it on to the function that resumed the coroutine.
  [[noreturn]] void unhandled_exception() const { throw; }
};

}  // namespace obol::testing
