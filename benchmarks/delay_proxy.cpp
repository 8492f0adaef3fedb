// One thread: poll, read, wait until each piece is due, write.
#include "delay_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "world.hpp"

namespace obol::benchmark {
namespace {

using Clock = std::chrono::steady_clock;

struct Piece {
  Clock::time_point due;
  std::string bytes;
};

/// What goes from one socket to another.
struct Way {
  int from;
  int to;
  std::deque<Piece> pieces{};
};

struct Channel {
  std::array<Way, 2> ways;
  bool is_closed = false;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int no_delay(int descriptor) {
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return descriptor;
}

void take_in(Way& way, Channel& channel, std::chrono::microseconds one_way) {
  std::array<char, 65'536> buffer;
  const auto received = ::recv(way.from, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (received > 0) {
    way.pieces.push_back({Clock::now() + one_way, std::string(buffer.data(), static_cast<std::size_t>(received))});
  } else if (received == 0) {
    channel.is_closed = true;
  }
}

void pass_on(Way& way, Clock::time_point now) {
  while (!way.pieces.empty() && way.pieces.front().due <= now) {
    const auto& bytes = way.pieces.front().bytes;
    // Replies and commands are small against a socket's buffer, so this does not wait.
    if (::send(way.to, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return;
    way.pieces.pop_front();
  }
}

}  // namespace

DelayProxy::DelayProxy(const ConnectionOptions& server, std::chrono::microseconds round_trip)
    : server_(server), one_way_(round_trip / 2), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  auto address = loopback(0);
  socklen_t length = sizeof address;
  require(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
              ::listen(listener_, 1024) == 0 &&
              ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0,
          "listening for the delay proxy");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

DelayProxy::~DelayProxy() {
  stopping_ = true;
  thread_.join();
  ::close(listener_);
}

ConnectionOptions DelayProxy::connection() const {
  auto options = server_;
  options.host = "127.0.0.1";
  options.port = port_;
  return options;
}

void DelayProxy::run() {
  std::vector<std::unique_ptr<Channel>> channels;
  while (!stopping_) {
    std::vector<pollfd> polled{{.fd = listener_, .events = POLLIN, .revents = 0}};
    auto next = Clock::now() + std::chrono::milliseconds(20);
    for (const auto& channel : channels) {
      for (const auto& way : channel->ways) {
        polled.push_back({.fd = way.from, .events = POLLIN, .revents = 0});
        if (!way.pieces.empty()) next = std::min(next, way.pieces.front().due);
      }
    }
    const auto wait = std::max(std::chrono::nanoseconds(next - Clock::now()), std::chrono::nanoseconds(0));
    const timespec time{.tv_sec = 0, .tv_nsec = wait.count()};
    ::ppoll(polled.data(), polled.size(), &time, nullptr);
    std::size_t index = 1;
    for (const auto& channel : channels) {
      for (auto& way : channel->ways) {
        if (polled[index++].revents != 0) take_in(way, *channel, one_way_);
        pass_on(way, Clock::now());
      }
    }
    std::erase_if(channels, [](const auto& channel) {
      if (!channel->is_closed) return false;
      ::close(channel->ways[0].from);
      ::close(channel->ways[0].to);
      return true;
    });
    if (polled[0].revents == 0) continue;
    const int client = no_delay(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
    const int upstream = no_delay(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = loopback(server_.port);
    require(::connect(upstream, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
            "connecting the delay proxy to a server on this machine");
    channels.push_back(std::make_unique<Channel>(
        Channel{.ways = {Way{.from = client, .to = upstream}, Way{.from = upstream, .to = client}}}));
  }
  for (const auto& channel : channels) {
    ::close(channel->ways[0].from);
    ::close(channel->ways[0].to);
  }
}

}  // namespace obol::benchmark
