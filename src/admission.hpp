// Counts the callers inside an object, so that it can close its doors and wait for the last one to leave.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

namespace obol::inline v0 {

/// Thread-safe.
class Admission {
 public:
  class Entry {
   public:
    Entry(Entry&& other) noexcept : admission_(std::exchange(other.admission_, nullptr)) {}
    Entry& operator=(Entry&&) = delete;
    ~Entry() {
      if (admission_ != nullptr) admission_->leave();
    }

   private:
    friend class Admission;
    explicit Entry(Admission& admission) : admission_(&admission) {}
    Admission* admission_;
  };

  /// Nothing once the doors are closed.
  std::optional<Entry> enter() {
    if ((state_.fetch_add(caller) & closed) == 0) return Entry(*this);
    leave();
    return std::nullopt;
  }

  void close() { state_.fetch_or(closed); }

  /// Returns when nobody is inside any more; the doors must be closed.
  void await_idle() const {
    for (auto state = state_.load(); state != closed; state = state_.load()) state_.wait(state);
  }

  /// In a forked child: the parent's other threads are not here.
  void forget_callers() { state_.fetch_and(closed); }

 private:
  static constexpr std::uint64_t closed = 1;
  static constexpr std::uint64_t caller = 2;

  void leave() {
    if (state_.fetch_sub(caller) == (closed | caller)) state_.notify_all();
  }

  std::atomic<std::uint64_t> state_{0};
};

}  // namespace obol::inline v0
