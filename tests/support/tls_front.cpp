// A thread that accepts, and one for each connection that passes bytes to and fro until either side ends.
#include "support/tls_front.hpp"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <csignal>
#include <stdexcept>
#include <utility>

namespace obol::testing {
namespace {

/// How long one call may keep a thread that shall end.
constexpr int nap_milliseconds = 50;

Descriptor connected_to(const std::string& path) {
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return socket;
}

bool send_all(int descriptor, const char* bytes, int size) {
  while (size > 0) {
    const auto sent = ::send(descriptor, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    size -= static_cast<int>(sent);
  }
  return true;
}

}  // namespace

TlsFront::TlsFront(std::string socket_path, int receive_buffer)
    : socket_path_(std::move(socket_path)),
      context_(::SSL_CTX_new(::TLS_server_method()), ::SSL_CTX_free),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const auto files = authority_.issue("server", "IP:127.0.0.1");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  // What is accepted has the same.
  if (receive_buffer > 0) {
    ::setsockopt(listener_.number(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  }
  if (::SSL_CTX_use_certificate_chain_file(context_.get(), files.certificate.c_str()) != 1 ||
      ::SSL_CTX_use_PrivateKey_file(context_.get(), files.private_key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      ::bind(listener_.number(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(listener_.number(), 1024) != 0 ||
      ::getsockname(listener_.number(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("the TLS front cannot listen");
  }
  port_ = ntohs(address.sin_port);
  // Signals are for the threads under test, and OpenSSL raises SIGPIPE.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  acceptor_ = std::jthread([this] { accept(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TlsFront::~TlsFront() {
  stopping_ = true;
  acceptor_.join();
  const std::scoped_lock lock(mutex_);
  sessions_.clear();
}

ConnectionOptions TlsFront::connection() const {
  return {.host = "127.0.0.1", .port = port_, .tls = {.enabled = true, .ca_file = authority_.ca_file()}};
}

void TlsFront::accept() {
  while (!stopping_) {
    pollfd entry{.fd = listener_.number(), .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, nap_milliseconds) <= 0) continue;
    Descriptor client(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client.is_open()) continue;
    // A client that stops reading or speaking must not keep the thread when it shall end.
    const timeval nap{.tv_sec = 0, .tv_usec = nap_milliseconds * 1000};
    ::setsockopt(client.number(), SOL_SOCKET, SO_SNDTIMEO, &nap, sizeof nap);
    ::setsockopt(client.number(), SOL_SOCKET, SO_RCVTIMEO, &nap, sizeof nap);
    const std::scoped_lock lock(mutex_);
    sessions_.emplace_back([this, held = std::move(client)]() mutable { serve(std::move(held)); });
  }
}

void TlsFront::serve(Descriptor client) {
  const auto server = connected_to(socket_path_);
  const std::unique_ptr<SSL, void (*)(SSL*)> session(::SSL_new(context_.get()), ::SSL_free);
  ::SSL_set_fd(session.get(), client.number());
  int accepted = 0;
  while (!stopping_ && (accepted = ::SSL_accept(session.get())) <= 0) {
    if (::SSL_get_error(session.get(), accepted) != SSL_ERROR_WANT_READ) return;
  }
  if (accepted == 1 && server.is_open()) pump(session.get(), client.number(), server.number());
}

// Returns when either side has ended.
void TlsFront::pump(SSL* session, int client, int server) {
  std::array<char, 16'384> buffer;
  // True if the call may be made again.
  const auto is_only_late = [&](int result) {
    const int error = ::SSL_get_error(session, result);
    return !stopping_ && (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE);
  };
  while (!stopping_) {
    std::array entries{pollfd{.fd = client, .events = POLLIN, .revents = 0},
                       pollfd{.fd = server, .events = POLLIN, .revents = 0}};
    ::poll(entries.data(), entries.size(), nap_milliseconds);
    if (entries[0].revents != 0) {
      const int received = ::SSL_read(session, buffer.data(), static_cast<int>(buffer.size()));
      if (received <= 0 && !is_only_late(received)) return;
      while (received > 0 && sends_tickets_ && !stopping_) {
        if (::SSL_new_session_ticket(session) != 1) return;
        int sent = 0;
        while ((sent = ::SSL_do_handshake(session)) != 1) {
          if (!is_only_late(sent)) return;
        }
      }
      if (received > 0 && !send_all(server, buffer.data(), received)) return;
    }
    if (entries[1].revents != 0) {
      const auto received = ::recv(server, buffer.data(), buffer.size(), 0);
      if (received <= 0) return;
      if (asks_for_keys_ && ::SSL_key_update(session, SSL_KEY_UPDATE_REQUESTED) != 1) return;
      int sent = 0;
      while ((sent = ::SSL_write(session, buffer.data(), static_cast<int>(received))) <= 0) {
        if (!is_only_late(sent)) return;
      }
    }
  }
}

}  // namespace obol::testing
