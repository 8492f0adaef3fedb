// A private Redis or Valkey for one test: on a unix socket (or a free port), without persistence, stopped with its
// owner.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "obol/connection_options.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"

namespace obol::testing {

enum class ServerKind { redis, valkey, redis7 };

/// For test names: "Redis", "Valkey", "Redis7".
std::string name_of(ServerKind kind);

/// What only some servers need.
struct ServerExtras {
  std::string configuration{};  ///< Of a file that the server gets and may rewrite; empty: none.
  std::string user = "default";
  std::string password{};  ///< What `command` logs in with; empty: it does not.
};

class TestServer {
 public:
  /// Starts the server and waits until it answers; throws std::runtime_error where that fails. The program comes from
  /// the environment: OBOL_REDIS_SERVER, OBOL_VALKEY_SERVER, OBOL_REDIS7_SERVER (scripts/test sets them). It ends with
  /// the thread that started it.
  explicit TestServer(ServerKind kind, std::vector<std::string> arguments = {}, ServerExtras extras = {});
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  void start();
  /// SIGKILL by default, so that nothing is saved; returns when the process is gone.
  void stop();
  void signal(int number) const;

  ConnectionOptions connection() const;
  std::string socket_path() const { return (folder_ / "s").string(); }

  /// Runs a command on a connection of its own, as whatever the server is, and gives the reply, errors included.
  redis::Reply command(std::initializer_list<std::string_view> words) const;
  /// The same for many, in one send.
  std::vector<redis::Reply> commands(std::span<const redis::Command> commands) const;

 private:
  std::filesystem::path configuration_file() const { return folder_ / "configuration"; }

  ServerKind kind_;
  std::vector<std::string> arguments_;
  ServerExtras extras_;
  std::filesystem::path folder_;
  pid_t process_ = -1;
};

}  // namespace obol::testing
