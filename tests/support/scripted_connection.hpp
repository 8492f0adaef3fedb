// A connection over a scripted stream: what it sends, and what it makes of what comes.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "redis/connection/connection.hpp"
#include "support/scripted_stream.hpp"

namespace obol::testing {

/// A map of texts as a server sends it; a value that begins with ':' is a number.
inline std::string map_of(std::initializer_list<std::pair<std::string_view, std::string_view>> entries) {
  std::string bytes = fmt::format("%{}\r\n", entries.size());
  for (const auto& [key, value] : entries) {
    bytes += fmt::format("+{}\r\n{}{}\r\n", key, value.starts_with(':') ? "" : "+", value);
  }
  return bytes;
}

/// The reply to HELLO of a server that Obol can run on.
inline std::string greeting(std::string_view role, std::string_view mode = "standalone", int client_id = 7) {
  return map_of({{"server", "valkey"},
                 {"version", "9.1.2"},
                 {"id", fmt::format(":{}", client_id)},
                 {"mode", mode},
                 {"role", role}});
}

/// The bytes of these commands, one behind the other.
inline std::string bytes_of(std::initializer_list<redis::Command> commands) {
  std::string bytes;
  for (const auto& command : commands) bytes += command.bytes();
  return bytes;
}

inline constexpr std::size_t reply_limit = std::size_t{64} * 1024;

/// Longer than any machine has been up: a connection without a handshake counts as confirmed when it was started.
inline constexpr std::chrono::milliseconds no_role_interval = std::chrono::years(100);

inline redis::Connection connection_of(std::shared_ptr<Script> script,
                                       std::chrono::milliseconds role_interval = no_role_interval) {
  return {std::make_unique<ScriptedStream>(std::move(script)), reply_limit, false, role_interval};
}

class ScriptedConnectionTest : public ::testing::Test {
 protected:
  static constexpr std::size_t reply_limit = testing::reply_limit;
  static constexpr std::chrono::milliseconds always{0};  ///< A role that is asked for with each send.
  static constexpr std::chrono::milliseconds never = no_role_interval;

  static redis::Deadline passed() { return redis::Deadline::after(std::chrono::milliseconds(-1)); }
  static redis::Deadline far() { return redis::Deadline::after(std::chrono::hours(1)); }

  redis::Connection connection(std::chrono::milliseconds role_interval = never) {
    return connection_of(script, role_interval);
  }

  /// One to a primary; nothing but its greeting has been said yet.
  redis::Connection introduced(std::chrono::milliseconds role_interval = never) {
    script->pieces.push_front(greeting("master"));
    auto made = connection(role_interval);
    EXPECT_TRUE(made.handshake({}, {}, redis::Peer::primary, far()).has_value());
    script->written.clear();
    script->writes = 0;
    return made;
  }

  /// What the server says next; each read takes one piece.
  void say(std::initializer_list<std::string> pieces) {
    script->pieces.insert(script->pieces.end(), pieces.begin(), pieces.end());
  }

  std::shared_ptr<Script> script = std::make_shared<Script>();
};

}  // namespace obol::testing
