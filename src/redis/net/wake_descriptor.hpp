// A descriptor by which other threads wake one that waits for a socket.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <cstdint>

#include "redis/core/deadline.hpp"
#include "redis/net/open_sockets.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// A forked child closes its copy before fork(2) returns there, and can wake nobody.
class WakeDescriptor {
 public:
  WakeDescriptor() = default;
  ~WakeDescriptor() {
    if (is_open()) close_socket(descriptor_, generation_);
  }
  WakeDescriptor(const WakeDescriptor&) = delete;
  WakeDescriptor& operator=(const WakeDescriptor&) = delete;

  /// False if the operating system gave no descriptor.
  bool is_open() const { return descriptor_ >= 0; }

  /// Thread-safe.
  void wake() const noexcept {
    if (is_open() && generation_ == socket_generation()) ::eventfd_write(descriptor_, 1);
  }

  /// Waits until the socket is readable, until somebody wakes this thread, or until the deadline. May return earlier.
  void wait_with(int socket, Deadline deadline) const noexcept {
    std::array<pollfd, 2> watched{
        {{.fd = socket, .events = POLLIN, .revents = 0}, {.fd = descriptor_, .events = POLLIN, .revents = 0}}};
    if (::poll(watched.data(), watched.size(), deadline.poll_milliseconds()) <= 0) return;
    eventfd_t woken = 0;
    if (watched.back().revents != 0) ::eventfd_read(descriptor_, &woken);
  }

 private:
  const std::uint64_t generation_ = socket_generation();
  const int descriptor_ = list_descriptor([] { return ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); });
};

}}}  // namespace obol::v0::redis
