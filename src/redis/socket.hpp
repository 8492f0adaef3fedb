// A connected stream socket that never blocks past a deadline and never raises SIGPIPE.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "obol/error.hpp"
#include "obol/redis_options.hpp"
#include "redis/deadline.hpp"

namespace obol::inline v0::redis {

/// Owns the descriptor: non-blocking, close-on-exec; TCP with no delay, keep-alive and a bound on unacknowledged data.
class Socket {
 public:
  /// Connects to the unix socket, or to the first address of the host that answers. `unavailable` or `timeout`.
  static Result<Socket> connect(const ConnectionOptions& options, Deadline deadline);

  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();

  Result<void> write_all(std::string_view bytes, Deadline deadline);

  /// At least one byte, at most the buffer. `unavailable` where the peer has closed.
  Result<std::size_t> read_some(char* buffer, std::size_t capacity, Deadline deadline);

  /// True where the peer is still there and has sent nothing: asks the kernel only.
  bool is_quiet() const;

  int descriptor() const { return descriptor_; }

 private:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  void close() noexcept;
  int descriptor_ = -1;
};

/// "host:port" or the unix socket's path, for messages.
std::string endpoint_name(const ConnectionOptions& options);

}  // namespace obol::inline v0::redis
