// A stream of bytes to a server that ends every wait by a deadline: plain (socket.hpp) or encrypted (tls_stream.hpp).
#pragma once

#include <cstddef>
#include <string_view>

#include "obol/error.hpp"
#include "redis/core/deadline.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// `timeout`: of a call whose deadline passes once its command was sent.
Error late_answer() noexcept;

/// Holds the one rule about time: once a deadline has passed nothing goes on, whatever arrives. A peer that sends or
/// takes bytes without an end keeps nobody. After any error but a `timeout` of read_some the stream is of no use.
class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream() = default;

  Result<void> write_all(std::string_view bytes, Deadline deadline);

  /// At least one byte, at most the buffer. `unavailable` if the peer has closed. No read begins after the deadline,
  /// except for the first one behind a write: it takes what has come, so that a thread that was held up still finds an
  /// answer that came in time.
  Result<std::size_t> read_some(char* buffer, std::size_t capacity, Deadline deadline);

  /// True if the peer is still there and has sent nothing: asks the kernel only.
  virtual bool is_quiet() = 0;

  virtual int descriptor() const = 0;

 protected:
  Stream(Stream&&) = default;
  Stream& operator=(Stream&&) = default;

  enum class Need { readable, writable };

  /// What one attempt did: it moved bytes, or it needs something first.
  struct Step {
    std::size_t moved = 0;
    Need need = Need::readable;  ///< If nothing was moved.
  };

  /// Waits for what a step needs; `timeout` after the deadline, even if there is nothing to wait for.
  Result<void> await(Need need, Deadline deadline);

 private:
  /// One attempt, which does a bounded amount of work. A read may wait for the first bytes, but not past the deadline.
  virtual Result<Step> try_read(char* buffer, std::size_t capacity, Deadline deadline) = 0;
  virtual Result<Step> try_write(std::string_view bytes) = 0;

  /// True once the need is met or the next attempt will say what is wrong; false at the deadline.
  virtual bool wait(Need need, Deadline deadline) = 0;

  bool has_read_ = false;  ///< Since the last write.
};

}}}  // namespace obol::v0::redis
