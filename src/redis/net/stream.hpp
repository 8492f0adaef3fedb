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

  enum class Need { readable, writable };

  /// What one attempt did: it moved bytes, or it needs something of the descriptor first.
  struct Step {
    std::size_t moved = 0;
    Need need = Need::readable;  ///< If nothing was moved.
  };

  /// One attempt that never waits and does a bounded amount of work. `unavailable` if the peer has closed. Bytes may
  /// be held above the descriptor, so wait for it only after a step that moved nothing. The work of a step is bounded,
  /// so more may be there to read even then: an edge-triggered wait would miss it.
  virtual Result<Step> try_read(char* buffer, std::size_t capacity) = 0;

  /// One attempt that never waits; it may take a part of the bytes. The next one must begin with the first byte that
  /// was not taken, and have no fewer bytes if nothing was. Reads may come in between.
  virtual Result<Step> try_write(std::string_view bytes) = 0;

  Result<void> write_all(std::string_view bytes, Deadline deadline);

  /// At least one byte, at most the buffer. `unavailable` if the peer has closed. No read begins after the deadline,
  /// except for the first one behind a write: it takes what has come, so that a thread that was held up still finds an
  /// answer that came in time.
  Result<std::size_t> read_some(char* buffer, std::size_t capacity, Deadline deadline);

  /// False if a read that did not fill its buffer has taken all that had come, so that the descriptor tells when the
  /// next is worth its while.
  virtual bool may_hold_bytes() const { return true; }

  /// True if the peer is still there and has sent nothing: asks the kernel only.
  virtual bool is_quiet() = 0;

  virtual int descriptor() const = 0;

 protected:
  Stream(Stream&&) = default;
  Stream& operator=(Stream&&) = default;

  /// Waits for what a step needs; `timeout` after the deadline, even if there is nothing to wait for.
  Result<void> await(Need need, Deadline deadline);

 private:
  /// As try_read, but it may wait for the first bytes, if it can do so within the system call that reads; not past the
  /// deadline.
  virtual Result<Step> try_read_until(char* buffer, std::size_t capacity, Deadline /*deadline*/) {
    return try_read(buffer, capacity);
  }

  /// True once the need is met or the next attempt will say what is wrong; false at the deadline.
  virtual bool wait(Need need, Deadline deadline) = 0;

  bool has_read_ = false;  ///< Since the last write.
};

}}}  // namespace obol::v0::redis
