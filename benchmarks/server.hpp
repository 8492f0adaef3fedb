// A server to measure against: a private one, or one's own; and a bare hiredis connection to it, the limit of all.
#pragma once

#include <hiredis/hiredis.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "obol/connection_options.hpp"
#include "redis/protocol/command.hpp"
#include "support/reserved_port.hpp"
#include "support/test_server.hpp"

namespace obol::benchmark {

/// hiredis as it comes: a blocking connection, TCP_NODELAY, one command after the other. Ends the program on errors.
class BareConnection {
 public:
  explicit BareConnection(const ConnectionOptions& options);

  struct Free {
    void operator()(redisReply* reply) const noexcept { ::freeReplyObject(reply); }
  };
  using Reply = std::unique_ptr<redisReply, Free>;

  Reply call(const redis::Command& command) {
    send(command);
    return receive();
  }
  void send(const redis::Command& command);
  Reply receive();

 private:
  struct Close {
    void operator()(redisContext* context) const noexcept { ::redisFree(context); }
  };
  std::unique_ptr<redisContext, Close> context_;
};

/// Microseconds of the server's processor, of the whole process and of one command, and how often that was called.
struct ServerTime {
  double all_us = 0;
  double command_us = 0;
  double calls = 0;
};

class Server {
 public:
  /// A private one on TCP loopback.
  explicit Server(testing::ServerKind kind);

  /// One's own.
  explicit Server(ConnectionOptions connection);

  const ConnectionOptions& connection() const { return connection_; }
  /// Of a private one.
  std::optional<testing::ServerKind> kind() const { return kind_; }
  std::string name();

  /// `command` as INFO commandstats names it.
  ServerTime time_of(std::string_view command);

  /// Bytes of data and of what the server keeps beside them (INFO memory: used_memory).
  double used_memory();

  /// Deletes every key of the benchmark.
  void clean();

  static constexpr const char* key_prefix = "obol_benchmark_";

 private:
  std::string info(std::string_view section);

  std::optional<testing::ServerKind> kind_;
  std::optional<testing::ReservedPort> port_;
  std::optional<testing::TestServer> private_;
  ConnectionOptions connection_;
  std::unique_ptr<BareConnection> admin_;
};

}  // namespace obol::benchmark
