// Sees every command that reaches a server, as MONITOR tells it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "redis/net/socket.hpp"
#include "redis/protocol/reply.hpp"
#include "support/test_server.hpp"

namespace obol::testing {

class Monitor {
 public:
  explicit Monitor(const TestServer& server) : server_(server), socket_(connected(server)) {
    if (!socket_.write_all("MONITOR\r\n", deadline_) || next_line() != "OK") throw std::runtime_error("no MONITOR");
  }

  /// The commands that clients, not scripts, have sent since the last call.
  std::vector<std::string> commands() {
    server_.command({"ECHO", "end of commands"});
    std::vector<std::string> lines;
    for (auto line = next_line(); line.find("end of commands") == std::string::npos; line = next_line()) {
      const bool ours = line.find(" lua]") != std::string::npos || line.find("\"HELLO\"") != std::string::npos;
      if (!ours) lines.push_back(line.substr(line.find(']') + 2));
    }
    return lines;
  }

 private:
  static redis::Socket connected(const TestServer& server) {
    auto socket = redis::Socket::connect_unix(server.socket_path(), redis::Deadline::after(std::chrono::seconds(5)));
    if (!socket) throw std::runtime_error(socket.error().message);
    return std::move(*socket);
  }

  std::string next_line() {
    std::array<char, 4096> buffer{};
    for (;;) {
      auto reply = reader_.next();
      if (!reply) throw std::runtime_error(reply.error().message);
      if (*reply) return std::string((*reply)->text);
      const auto received = socket_.read_some(buffer.data(), buffer.size(), deadline_);
      if (!received) throw std::runtime_error("MONITOR ended");
      reader_.feed({buffer.data(), *received});
    }
  }

  const TestServer& server_;
  redis::Deadline deadline_ = redis::Deadline::after(std::chrono::seconds(30));
  redis::Socket socket_;
  redis::ReplyReader reader_{1024 * 1024};
};

/// These commands went out in one send, whose end a marker shows, and nothing else did.
inline void expect_one_send(const std::vector<std::string>& commands, std::vector<std::string> wanted) {
  ASSERT_FALSE(commands.empty());
  EXPECT_TRUE(commands.back().starts_with("\"ECHO\"")) << commands.back();
  wanted.push_back(commands.back());
  EXPECT_EQ(commands, wanted);
}

}  // namespace obol::testing
