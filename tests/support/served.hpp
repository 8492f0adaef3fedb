// An HTTP server of an example behind a real socket.
#pragma once

#include <memory>
#include <thread>
#include <utility>

#include "httplib.h"

namespace obol::testing {

/// Serves on a free port until it is destroyed.
class Served {
 public:
  explicit Served(std::unique_ptr<httplib::Server> server) : server_(std::move(server)) {
    port_ = server_->bind_to_any_port(host);
    if (port_ > 0) listener_ = std::thread([this] { server_->listen_after_bind(); });
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;
  ~Served() {
    if (!listener_.joinable()) return;
    while (!server_->is_running()) std::this_thread::yield();
    server_->stop();
    listener_.join();
  }

  /// 0 or less: there was no free port.
  int port() const { return port_; }

  std::unique_ptr<httplib::Client> client() const {
    auto client = std::make_unique<httplib::Client>(host, port_);
    client->set_read_timeout(60);  // A password hash takes long on a busy machine.
    return client;
  }

 private:
  static constexpr const char* host = "127.0.0.1";
  std::unique_ptr<httplib::Server> server_;
  std::thread listener_;
  int port_ = 0;
};

}  // namespace obol::testing
