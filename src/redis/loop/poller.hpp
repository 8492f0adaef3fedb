// What an engine waits for: its sockets, a wake-up and a timer, all behind one descriptor.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "obol/error.hpp"
#include "redis/core/deadline.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// An epoll set that the host watches from its own. Never waits. Not thread-safe, but for wake(). A forked child closes
/// its copies of the descriptors before fork(2) returns there, and does not touch the set, which the parent shares.
/// Source: https://man7.org/linux/man-pages/man7/epoll.7.html
class Poller {
 public:
  /// `internal` if the operating system gives no descriptor.
  static Result<std::unique_ptr<Poller>> create();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// Readable if next_events() has something to tell.
  int descriptor() const { return set_; }

  struct Event {
    void* source;  ///< As given to watch(); null for a wake-up or the timer.
    bool is_readable;
    bool is_writable;
  };

  /// What has happened, without waiting; at most `most_events`, more may be there. Valid until the next call.
  std::span<const Event> next_events();
  static constexpr std::size_t most_events = 64;

  /// Level-triggered: until the socket is read, or written if `for_writing`. `internal` if the system refuses.
  Result<void> watch(int socket, void* source, bool for_writing);
  void change(int socket, void* source, bool for_writing) noexcept;
  /// Before the socket is closed.
  void forget(int socket) noexcept;

  /// Makes the descriptor readable. Thread-safe.
  void wake() const noexcept;

  /// Makes the descriptor readable at that time, in place of the time set before.
  void set_timer(Deadline::Time::time_point time) noexcept;

  /// In a forked child nothing can be waited for.
  bool is_of_parent() const noexcept;

 private:
  Poller() = default;
  int control(int operation, int socket, void* source, bool for_writing) noexcept;

  int set_ = -1;
  int wake_ = -1;
  int timer_ = -1;
  std::uint64_t generation_ = 0;
  std::vector<Event> events_;
};

}}}  // namespace obol::v0::redis
