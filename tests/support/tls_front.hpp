// Speaks TLS to clients and passes what they say to a unix socket, such as a fault proxy's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "obol/connection_options.hpp"
#include "support/certificates.hpp"
#include "support/descriptor.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace obol::testing {

/// A thread for each connection.
class TlsFront {
 public:
  /// `receive_buffer`: in bytes, of what comes from clients; 0: the system's.
  explicit TlsFront(std::string socket_path, int receive_buffer = 0);
  ~TlsFront();
  TlsFront(const TlsFront&) = delete;
  TlsFront& operator=(const TlsFront&) = delete;

  /// The way through it.
  ConnectionOptions connection() const;

  /// While it is on, what a client says is answered with session tickets without an end, and with nothing else.
  void send_tickets(bool is_on) { sends_tickets_ = is_on; }

  /// While it is on, each piece of what the server says is preceded by a request for new keys, which clients answer.
  void ask_for_keys(bool is_on) { asks_for_keys_ = is_on; }

 private:
  void accept();
  void serve(Descriptor client);
  void pump(ssl_st* session, int client, int server);

  const std::string socket_path_;
  Authority authority_;
  std::shared_ptr<ssl_ctx_st> context_;
  Descriptor listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> sends_tickets_ = false;
  std::atomic<bool> asks_for_keys_ = false;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::vector<std::jthread> sessions_;
  std::jthread acceptor_;
};

}  // namespace obol::testing
