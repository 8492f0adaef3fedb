// Sockets by hand: hiredis' own time-outs are per system call, it tries one address only, and it raises SIGPIPE.
#include "redis/net/socket.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

namespace obol { inline namespace v0 { namespace redis {
namespace {

/// By which the kernel's time-outs may come late.
constexpr std::chrono::milliseconds timer_error{10};

std::string system_message(int error) { return std::generic_category().message(error); }

std::unexpected<Error> unavailable(std::string message) {
  return std::unexpected(Error{ErrorCode::unavailable, std::move(message)});
}

/// True once the descriptor is ready; false at the deadline.
bool await_ready(int descriptor, short events, Deadline deadline) {
  for (;;) {
    pollfd entry{.fd = descriptor, .events = events, .revents = 0};
    const int ready = ::poll(&entry, 1, deadline.poll_milliseconds());
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return true;  // The next read or write reports what is wrong.
    if (deadline.passed()) return false;
  }
}

void set_option(int descriptor, int level, int name, int value) {
  ::setsockopt(descriptor, level, name, &value, sizeof value);
}

// A dead idle peer is found after 30 s; unacknowledged data breaks the connection after 10 s.
void tune_tcp(int descriptor) {
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_KEEPIDLE
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, 15);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 3);
#endif
#ifdef TCP_USER_TIMEOUT
  set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, 10'000);
#endif
}

std::unexpected<Error> not_connected(int error) {
  return unavailable(
      fmt::format("cannot connect: {}; check that the server runs and listens there", system_message(error)));
}

/// Zero, or why not.
int try_connect(int descriptor, const sockaddr* address, socklen_t length) {
  return ::connect(descriptor, address, length) == 0 ? 0 : errno;
}

Result<void> finish_connect(int descriptor, const sockaddr* address, socklen_t length, Deadline deadline) {
  int failure = try_connect(descriptor, address, length);
  // A unix socket with a full backlog says EAGAIN and is to be tried again.
  while (failure == EAGAIN && !deadline.passed()) {
    ::poll(nullptr, 0, 1);
    failure = try_connect(descriptor, address, length);
  }
  if (failure == 0) return {};
  if (failure != EINPROGRESS && failure != EINTR) return not_connected(failure);
  if (!await_ready(descriptor, POLLOUT, deadline)) {
    return std::unexpected(Error{ErrorCode::timeout, "connecting timed out; is there a firewall in between?"});
  }
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return not_connected(error);
  return {};
}

/// From here on only what asks for it does not block.
void let_block(int descriptor) { ::fcntl(descriptor, F_SETFL, 0); }

}  // namespace

void reset_on_close(int descriptor) {
  const linger none{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

bool is_passing(int error) { return error == EINTR || error == EAGAIN || error == EWOULDBLOCK; }

std::unexpected<Error> connection_lost(int error) {
  return unavailable(fmt::format("the connection was lost: {}", system_message(error)));
}

std::unexpected<Error> closed_by_server() { return unavailable("the server closed the connection"); }

Result<Socket> Socket::connect_unix(const std::string& path, Deadline deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  Socket socket(open_socket(AF_UNIX), true);
  if (socket.descriptor_ < 0) return unavailable(system_message(errno));
  const auto result =
      finish_connect(socket.descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address, deadline);
  if (!result) return std::unexpected(result.error());
  let_block(socket.descriptor_);
  return socket;
}

Result<Socket> Socket::connect_tcp(const std::vector<Address>& addresses, Deadline deadline) {
  Result<void> last = unavailable("the name has no address");
  auto left = addresses.size();
  for (const auto& address : addresses) {
    if (left < addresses.size() && deadline.passed()) break;
    // A silent address may use only its share of the time, so that the ones behind it are tried too.
    const auto share = deadline.share(left--);
    Socket socket(open_socket(address.storage.ss_family), address.is_loopback());
    if (socket.descriptor_ < 0) {
      last = unavailable(system_message(errno));
      continue;
    }
    tune_tcp(socket.descriptor_);
    last = finish_connect(socket.descriptor_, address.get(), address.length, share);
    if (!last) continue;
    let_block(socket.descriptor_);
    return socket;
  }
  return std::unexpected(last.error());
}

Socket::Socket(Socket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      generation_(other.generation_),
      is_local_(other.is_local_),
      receive_timeout_(other.receive_timeout_) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    close();
    descriptor_ = std::exchange(other.descriptor_, -1);
    generation_ = other.generation_;
    is_local_ = other.is_local_;
    receive_timeout_ = other.receive_timeout_;
  }
  return *this;
}

Socket::~Socket() { close(); }

void Socket::close() noexcept {
  if (descriptor_ >= 0) close_socket(descriptor_, generation_);
  descriptor_ = -1;
}

bool Socket::wait(Need need, Deadline deadline) {
  return await_ready(descriptor_, need == Need::readable ? POLLIN : POLLOUT, deadline);
}

Result<Stream::Step> Socket::try_write(std::string_view bytes) {
  const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0) return Step{.moved = static_cast<std::size_t>(sent), .need = Need::writable};
  if (is_passing(errno)) return Step{.moved = 0, .need = Need::writable};
  return connection_lost(errno);
}

// A receive that blocks saves the call that waits for readiness, a tenth of a local round trip. The kernel's time-out
// counts from each call anew, so it serves only where it ends before the deadline, and what is left is waited for.
bool Socket::may_block(Deadline deadline) {
  using std::chrono::milliseconds;
  const milliseconds left(deadline.poll_milliseconds());
  if (left <= 2 * timer_error) return false;
  if (receive_timeout_ <= left - timer_error && receive_timeout_ > left / 2) return true;
  receive_timeout_ = left - timer_error;
  const timeval time{.tv_sec = receive_timeout_ / std::chrono::seconds(1),
                     .tv_usec = std::chrono::microseconds(receive_timeout_ % std::chrono::seconds(1)).count()};
  return ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0;
}

Result<Stream::Step> Socket::try_read(char* buffer, std::size_t capacity) {
  return receive(buffer, capacity, MSG_DONTWAIT);
}

Result<Stream::Step> Socket::try_read_until(char* buffer, std::size_t capacity, Deadline deadline) {
  return receive(buffer, capacity, may_block(deadline) ? 0 : MSG_DONTWAIT);
}

Result<Stream::Step> Socket::receive(char* buffer, std::size_t capacity, int flags) {
  const ssize_t received = ::recv(descriptor_, buffer, capacity, flags);
  if (received > 0) return Step{.moved = static_cast<std::size_t>(received)};
  if (received == 0) return closed_by_server();
  if (is_passing(errno)) return Step{.moved = 0, .need = Need::readable};
  return connection_lost(errno);
}

bool Socket::is_quiet() {
  char byte = 0;
  return ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}}}  // namespace obol::v0::redis
