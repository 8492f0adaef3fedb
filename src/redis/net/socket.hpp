// A connected stream socket that never blocks past a deadline and never raises SIGPIPE.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "redis/net/open_sockets.hpp"
#include "redis/net/resolver.hpp"
#include "redis/net/stream.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Owns the descriptor, which is close-on-exec; TCP with no delay, keep-alive and a bound on unacknowledged data. Once
/// connected the descriptor is in blocking mode: a read waits inside recv(2), for the time of SO_RCVTIMEO, which ends
/// before the deadline. Everything else says MSG_DONTWAIT. So must whoever uses the descriptor directly.
class Socket final : public Stream {
 public:
  /// `unavailable` or `timeout`.
  static Result<Socket> connect_unix(const std::string& path, Deadline deadline);

  /// Connects to the first address that answers.
  static Result<Socket> connect_tcp(const std::vector<Address>& addresses, Deadline deadline);

  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  ~Socket() override;

  Result<Step> try_read(char* buffer, std::size_t capacity) override;
  Result<Step> try_write(std::string_view bytes) override;
  bool may_hold_bytes() const override { return false; }
  bool is_quiet() override;
  int descriptor() const override { return descriptor_; }

  /// True if the peer is on this machine.
  bool is_local() const { return is_local_; }

  bool wait(Need need, Deadline deadline) override;

 private:
  Socket(int descriptor, bool is_local) : descriptor_(descriptor), is_local_(is_local) {}
  Result<Step> try_read_until(char* buffer, std::size_t capacity, Deadline deadline) override;
  Result<Step> receive(char* buffer, std::size_t capacity, int flags);
  bool may_block(Deadline deadline);
  void close() noexcept;
  int descriptor_ = -1;
  std::uint64_t generation_ = socket_generation();  ///< In which it was opened.
  bool is_local_ = false;
  std::chrono::milliseconds receive_timeout_{0};  ///< What the kernel was told.
};

/// Closing this descriptor will reset the connection: what the kernel has not sent yet is never sent.
void reset_on_close(int descriptor);

/// True if this errno of a transfer says only that another attempt may do better.
bool is_passing(int error);

/// `unavailable`: the connection broke with this errno.
std::unexpected<Error> connection_lost(int error);

/// `unavailable`: the other end closed it.
std::unexpected<Error> closed_by_server();

}}}  // namespace obol::v0::redis
