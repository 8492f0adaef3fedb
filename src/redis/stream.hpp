// A stream of bytes to a server that ends every wait by a deadline: plain (socket.hpp) or encrypted (tls.hpp).
#pragma once

#include <cstddef>
#include <string_view>

#include "obol/error.hpp"
#include "redis/deadline.hpp"

namespace obol::inline v0::redis {

/// After any error the stream is of no use.
class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream() = default;

  virtual Result<void> write_all(std::string_view bytes, Deadline deadline) = 0;

  /// At least one byte, at most the buffer. `unavailable` where the peer has closed.
  virtual Result<std::size_t> read_some(char* buffer, std::size_t capacity, Deadline deadline) = 0;

  /// True where the peer is still there and has sent nothing: asks the kernel only.
  virtual bool is_quiet() = 0;

  virtual int descriptor() const = 0;

 protected:
  Stream(Stream&&) = default;
  Stream& operator=(Stream&&) = default;
};

}  // namespace obol::inline v0::redis
