// One thread, poll(2), and a channel for each connection: commands in, replies out, faults in between.
#include "support/fault_proxy.hpp"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <optional>
#include <stdexcept>
#include <utility>

#include "support/resp.hpp"

namespace obol::testing {
namespace {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

constexpr std::size_t block_bytes = 65'536;
constexpr std::chrono::microseconds read_check_interval{20};

enum class End { none, close, reset };

bool has_been_read(int descriptor) {
  int unread = 0;
  return ::ioctl(descriptor, SIOCOUTQ, &unread) != 0 || unread == 0;
}

/// What is still to be sent one way, and when.
class Outbox {
 public:
  void add(std::string bytes, Time due, End end = End::none) {
    pieces_.push_back({.bytes = std::move(bytes), .due = due, .end = end});
  }

  /// Sends only when the peer has read all that was sent before.
  void add_when_read(std::string bytes) {
    pieces_.push_back({.bytes = std::move(bytes), .due = {}, .when_read = true});
  }

  /// Sends a text again and again, once each interval.
  void add_without_end(const std::string& again, Time due, Clock::duration interval) {
    pieces_.push_back({.bytes = again, .due = due, .again = again, .interval = interval});
  }

  bool empty() const { return pieces_.empty(); }
  bool is_endless() const { return !pieces_.empty() && !pieces_.front().again.empty(); }
  bool is_blocked() const { return blocked_; }
  void clear() { pieces_.clear(); }

  std::optional<Time> due(Time now) const {
    if (pieces_.empty() || blocked_) return std::nullopt;
    return pieces_.front().when_read ? now + read_check_interval : pieces_.front().due;
  }

  /// Sends what is due. Not `none`: the connection is to be ended so.
  End send_due(int descriptor, Time now) {
    blocked_ = false;
    while (!pieces_.empty() && is_due(descriptor, now)) {
      Piece& piece = pieces_.front();
      while (!piece.bytes.empty()) {
        const ssize_t sent = ::send(descriptor, piece.bytes.data(), piece.bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
          blocked_ = errno == EAGAIN;
          return blocked_ ? End::none : End::close;
        }
        piece.bytes.erase(0, static_cast<std::size_t>(sent));
      }
      if (!piece.again.empty()) {
        piece.bytes = piece.again;
        piece.due = now + piece.interval;
        // Other connections have their turn, too.
        return End::none;
      }
      const End end = piece.end;
      pieces_.pop_front();
      if (end != End::none) return end;
    }
    return End::none;
  }

 private:
  struct Piece {
    std::string bytes{};
    Time due{};
    End end = End::none;
    bool when_read = false;
    std::string again{};
    Clock::duration interval{};
  };

  bool is_due(int descriptor, Time now) const {
    return pieces_.front().when_read ? has_been_read(descriptor) : pieces_.front().due <= now;
  }

  std::deque<Piece> pieces_;
  bool blocked_ = false;
};

/// Appends what has arrived; false once the peer is gone.
bool receive(int descriptor, std::string& bytes) {
  std::array<char, block_bytes> buffer;
  const ssize_t received = ::recv(descriptor, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (received < 0) return errno == EAGAIN || errno == EINTR;
  bytes.append(buffer.data(), static_cast<std::size_t>(received));
  return received > 0;
}

Descriptor connected_to(const std::string& path) {
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return socket;
}

template <class Address>
Descriptor listening_at(const Address& address, int family) {
  Descriptor socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (::bind(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.number(), 1024) != 0) {
    throw std::runtime_error("the fault proxy cannot listen");
  }
  return socket;
}

Descriptor listening_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return listening_at(address, AF_UNIX);
}

Descriptor listening_on_loopback() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return listening_at(address, AF_INET);
}

std::uint16_t port_of(const Descriptor& listener) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(listener.number(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

timespec until(std::optional<Time> due, Time now) {
  const auto longest = std::chrono::nanoseconds(std::chrono::seconds(1));
  const auto span =
      due ? std::clamp<std::chrono::nanoseconds>(*due - now, std::chrono::nanoseconds(0), longest) : longest;
  return {.tv_sec = span.count() / 1'000'000'000, .tv_nsec = span.count() % 1'000'000'000};
}

}  // namespace

/// One client's connection and the one made to the server for it.
class FaultProxy::Channel {
 public:
  Channel(FaultProxy& proxy, Descriptor client, Descriptor server)
      : proxy_(proxy), client_(std::move(client)), server_(std::move(server)) {}

  bool has_ended() const { return ended_; }

  std::optional<Time> due(Time now) const {
    if (frozen_) return std::nullopt;
    const auto late = to_server_.due(now);
    const auto next = to_client_.due(now);
    if (!late || !next) return late ? late : next;
    return std::min(*late, *next);
  }

  std::array<pollfd, 2> interest() const {
    const auto events = [](const Outbox& outbox) {
      return static_cast<short>(outbox.is_blocked() ? POLLIN | POLLOUT : POLLIN);
    };
    if (frozen_) {
      return {pollfd{.fd = client_.number(), .events = POLLRDHUP, .revents = 0},
              pollfd{.fd = -1, .events = 0, .revents = 0}};
    }
    return {pollfd{.fd = client_gone_ ? -1 : client_.number(), .events = events(to_client_), .revents = 0},
            pollfd{.fd = server_gone_ ? -1 : server_.number(), .events = events(to_server_), .revents = 0}};
  }

  void handle(short from_client, short from_server) {
    const auto now = Clock::now();
    if (frozen_) {
      ended_ = (from_client & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
      return;
    }
    if (from_client != 0) {
      const bool is_gone = (from_client & (POLLHUP | POLLERR)) != 0;
      // As a server does after a reset: it acts on what it reads at once, finds the connection gone, and reads no more.
      if (!receive(client_.number(), commands_) || is_gone) lose_client();
    }
    take_commands(now);
    if (frozen_ || ended_) return;
    if (from_server != 0 && !receive(server_.number(), replies_)) server_gone_ = true;
    take_replies(now);
    if (server_gone_ && to_client_.empty()) to_client_.add({}, now, End::close);
    send(now);
  }

 private:
  void lose_client() {
    client_gone_ = true;
    to_client_.clear();
  }

  void take_commands(Time now) {
    while (!ended_ && !frozen_) {
      if (!fault_) {
        const auto word = first_word(commands_);
        if (!word) return;
        fault_ = proxy_.fault_for(*word);
        ended_ = fault_->kind == Fault::Kind::cut_in_command;
        frozen_ = fault_->kind == Fault::Kind::half_open;
        continue;
      }
      const auto end = end_of_value(commands_);
      if (!end) return;
      ++proxy_.commands_;
      deliver(commands_.substr(0, *end), now);
      commands_.erase(0, *end);
    }
  }

  void deliver(std::string command, Time now) {
    if (!command.contains(fault_->part)) *fault_ = {};
    ended_ = fault_->kind == Fault::Kind::cut_before_delivery;
    // Its reply keeps the place for the error.
    if (fault_->kind == Fault::Kind::refusal) command = "*1\r\n$4\r\nPING\r\n";
    if (!ended_) {
      to_server_.add(std::move(command), fault_->kind == Fault::Kind::deliver_late ? now + fault_->span : now);
    }
    awaiting_.push_back(std::move(*fault_));
    fault_.reset();
  }

  void take_replies(Time now) {
    while (const auto end = end_of_value(replies_)) {
      const bool answers = replies_.front() != '>' && !awaiting_.empty();
      const Fault fault = answers ? std::move(awaiting_.front()) : Fault{};
      if (answers) awaiting_.pop_front();
      pass_on(replies_.substr(0, *end), fault, now);
      replies_.erase(0, *end);
    }
  }

  void pass_on(std::string reply, const Fault& fault, Time now) {
    using Kind = Fault::Kind;
    switch (fault.kind) {
      case Kind::delay:
        return to_client_.add(std::move(reply), now + fault.span);
      case Kind::trickle:
        return trickle(fault.text.empty() ? reply : fault.text, fault, now);
      case Kind::cut_before_reply:
        return to_client_.add({}, now, End::close);
      case Kind::cut_in_reply:
        return to_client_.add(reply.substr(0, fault.bytes), now, End::close);
      case Kind::cut_after_reply:
        return to_client_.add(std::move(reply), now, End::close);
      case Kind::swallow_reply:
        return;
      case Kind::reset_in_reply:
        return to_client_.add(reply.substr(0, fault.bytes), now, End::reset);
      case Kind::garbage:
      case Kind::refusal:
        return to_client_.add(fault.text, now);
      case Kind::push_before_reply:
        return to_client_.add(">2\r\n+news\r\n+unasked\r\n" + reply, now);
      case Kind::endless:
        return send_without_end(fault, now);
      case Kind::duplicate_reply:
        return to_client_.add(reply + reply, now);
      default:
        return to_client_.add(std::move(reply), now);
    }
  }

  void send_without_end(const Fault& fault, Time now) {
    if (!fault.text.empty()) to_client_.add(fault.text, now);
    std::string again = fault.again;
    // As much at a time as makes a flood.
    while (fault.span.count() == 0 && again.size() < block_bytes) again += fault.again;
    to_client_.add_without_end(again, now, fault.span);
  }

  void trickle(std::string_view reply, const Fault& fault, Time now) {
    for (; !reply.empty(); reply.remove_prefix(std::min(fault.bytes, reply.size()))) {
      std::string piece(reply.substr(0, fault.bytes));
      if (fault.span.count() == 0) {
        to_client_.add_when_read(std::move(piece));
      } else {
        to_client_.add(std::move(piece), now += fault.span);
      }
    }
  }

  void send(Time now) {
    if (!server_gone_ && to_server_.send_due(server_.number(), now) != End::none) server_gone_ = true;
    if (client_gone_) {
      // What the client has sent still arrives, as it would from the buffers of a network; but not what the server does
      // not take, as after a reset: it would come behind what the client sends over its next connection.
      ended_ = server_gone_ || to_server_.empty() || to_server_.is_blocked();
      return;
    }
    const bool is_over = to_client_.is_endless() && !proxy_.is_troubled_;
    const End end = is_over ? End::close : to_client_.send_due(client_.number(), now);
    if (end == End::reset) {
      const linger at_once{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(client_.number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    ended_ = end != End::none;
  }

  FaultProxy& proxy_;
  Descriptor client_;
  Descriptor server_;
  std::string commands_;
  std::string replies_;
  Outbox to_server_;
  Outbox to_client_;
  std::optional<Fault> fault_;  ///< Of the command that is arriving.
  std::deque<Fault> awaiting_;  ///< Of the commands whose replies are to come.
  bool client_gone_ = false;
  bool server_gone_ = false;
  bool frozen_ = false;
  bool ended_ = false;
};

FaultProxy::FaultProxy(const TestServer& server)
    : server_path_(server.socket_path()), wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  std::string name = (std::filesystem::temp_directory_path() / "obol-proxy-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  folder_ = name;
  unix_listener_ = listening_at((folder_ / "s").string());
  tcp_listener_ = listening_on_loopback();
  port_ = port_of(tcp_listener_);
  // Signals are for the threads under test.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

FaultProxy::~FaultProxy() {
  stopping_ = true;
  ::eventfd_write(wake_.number(), 1);
  thread_.join();
  std::filesystem::remove_all(folder_);
}

ConnectionOptions FaultProxy::connection() const {
  ConnectionOptions options;
  options.unix_socket = (folder_ / "s").string();
  return options;
}

ConnectionOptions FaultProxy::tcp_connection() const {
  ConnectionOptions options;
  options.host = "127.0.0.1";
  options.port = port_;
  return options;
}

void FaultProxy::lead_to(const TestServer& server) {
  const std::scoped_lock lock(mutex_);
  server_path_ = server.socket_path();
}

bool FaultProxy::is_store_command(std::string_view word) {
  constexpr std::array<std::string_view, 7> words{"HGET", "HGETALL", "HSETEX", "HDEL", "UNLINK", "FCALL", "EVALSHA"};
  return std::ranges::find(words, word) != words.end();
}

bool FaultProxy::matches(std::string_view wanted, std::string_view word) {
  return wanted.empty() ? is_store_command(word) : wanted == word;
}

void FaultProxy::once(Fault fault, std::string word) {
  const std::scoped_lock lock(mutex_);
  is_troubled_ = true;
  waiting_.push_back({std::move(word), std::move(fault)});
}

void FaultProxy::always(Fault fault, std::string word) {
  follow([fault = std::move(fault), wanted = std::move(word)](std::string_view word_seen) {
    return matches(wanted, word_seen) ? fault : Fault{};
  });
}

void FaultProxy::follow(Script script) {
  const std::scoped_lock lock(mutex_);
  is_troubled_ = true;
  script_ = std::move(script);
}

void FaultProxy::heal() {
  const std::scoped_lock lock(mutex_);
  is_troubled_ = false;
  waiting_.clear();
  script_ = nullptr;
}

bool FaultProxy::await_faults(std::size_t count) const {
  const auto give_up = Clock::now() + std::chrono::seconds(10);
  while (faults_ < count && Clock::now() < give_up) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return faults_ >= count;
}

Fault FaultProxy::fault_for(std::string_view word) {
  const std::scoped_lock lock(mutex_);
  Fault fault;
  const auto waiting = std::ranges::find_if(waiting_, [&](const Waiting& entry) { return matches(entry.word, word); });
  if (waiting != waiting_.end()) {
    fault = std::move(waiting->fault);
    waiting_.erase(waiting);
  } else if (script_) {
    fault = script_(word);
  }
  if (fault.kind != Fault::Kind::none) ++faults_;
  return fault;
}

void FaultProxy::accept_from(const Descriptor& listener) {
  for (;;) {
    Descriptor client(::accept4(listener.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client.is_open()) return;
    ++connections_;
    const int on = 1;
    ::setsockopt(client.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto server = connected_to([this] {
      const std::scoped_lock lock(mutex_);
      return server_path_;
    }());
    if (server.is_open()) channels_.push_back(std::make_unique<Channel>(*this, std::move(client), std::move(server)));
  }
}

void FaultProxy::run() {
  const auto entry = [](const Descriptor& descriptor) {
    return pollfd{.fd = descriptor.number(), .events = POLLIN, .revents = 0};
  };
  std::vector<pollfd> entries;
  while (!stopping_) {
    entries = {entry(wake_), entry(unix_listener_), entry(tcp_listener_)};
    const auto now = Clock::now();
    std::optional<Time> due;
    for (const auto& channel : channels_) {
      std::ranges::copy(channel->interest(), std::back_inserter(entries));
      const auto next = channel->due(now);
      if (next && (!due || *next < *due)) due = next;
    }
    const auto span = until(due, now);
    if (::ppoll(entries.data(), entries.size(), &span, nullptr) < 0) continue;
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      channels_[i]->handle(entries[3 + 2 * i].revents, entries[4 + 2 * i].revents);
    }
    std::erase_if(channels_, [](const auto& channel) { return channel->has_ended(); });
    if (entries[1].revents != 0) accept_from(unix_listener_);
    if (entries[2].revents != 0) accept_from(tcp_listener_);
  }
}

}  // namespace obol::testing
