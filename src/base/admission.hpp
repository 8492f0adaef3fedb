// Counts the callers inside an object, so that it can close its doors and wait for the last one to leave.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace obol { inline namespace v0 {

/// Thread-safe.
class Admission {
 public:
  using Time = std::chrono::steady_clock;

  /// While it lives, await_idle() does not return, whether the doors were open or not.
  class Visit {
   public:
    explicit Visit(Admission& admission)
        : admission_(admission),
          forks_(admission.forks_.load(std::memory_order_relaxed)),
          is_admitted_((admission.state_.fetch_add(caller) & closed) == 0) {}
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    /// Of a visit that began before a fork the child has forgotten already.
    ~Visit() {
      if (forks_ == admission_.forks_.load(std::memory_order_relaxed)) admission_.state_.fetch_sub(caller);
    }

    /// False if the doors were closed.
    bool is_admitted() const { return is_admitted_; }

   private:
    Admission& admission_;
    const std::uint64_t forks_;
    const bool is_admitted_;
  };

  void close() { state_.fetch_or(closed); }

  /// Returns when nobody is inside any more, or at the time given; the doors must be closed. It looks again and again:
  /// the last caller must not touch this after it has left, not even to wake somebody, since this may be gone by then.
  void await_idle(Time::time_point give_up = Time::time_point::max()) const {
    constexpr std::chrono::microseconds longest_pause{1000};
    std::chrono::microseconds pause{1};
    while (state_.load() != closed && Time::now() < give_up) {
      std::this_thread::sleep_for(pause);
      pause = std::min(2 * pause, longest_pause);
    }
  }

  /// In a forked child: the parent's other threads are not here. The thread that forked may be inside, and is not
  /// waited for either.
  void forget_callers() {
    forks_.fetch_add(1, std::memory_order_relaxed);
    state_.fetch_and(closed);
  }

 private:
  static constexpr std::uint64_t closed = 1;
  static constexpr std::uint64_t caller = 2;

  std::atomic<std::uint64_t> state_{0};
  std::atomic<std::uint64_t> forks_{0};
};

}}  // namespace obol::v0
