// One introduced connection to a server: a command goes in, its own reply comes out.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include "obol/error.hpp"
#include "obol/redis_options.hpp"
#include "redis/command.hpp"
#include "redis/deadline.hpp"
#include "redis/reply.hpp"
#include "redis/server_version.hpp"
#include "redis/socket.hpp"

namespace obol::inline v0::redis {

/// Not thread-safe: one caller at a time. After any error of call the connection is of no use and must be closed: an
/// answer that comes late would reach another caller.
class Connection {
 public:
  /// Connects and introduces itself: HELLO 3 with AUTH and SETNAME, then SELECT. The server's version is checked.
  /// `unavailable`, `timeout`, `auth`, `permission`, `unsupported_server`, `invalid_argument` (no such database).
  static Result<Connection> open(const ConnectionOptions& options, std::size_t maximum_reply_bytes, Deadline deadline);

  /// Sends the command and gives its reply, an error reply included. `timeout`, `unavailable`, `protocol`, `too_large`.
  Result<Reply> call(const Command& command, Deadline deadline);

  /// True where it can be lent out again: the peer is there and nothing unread has come.
  bool is_reusable() const { return !reader_.has_unread_bytes() && socket_.is_quiet(); }

  const ServerVersion& server() const { return server_; }
  int descriptor() const { return socket_.descriptor(); }

 private:
  Connection(Socket socket, std::size_t maximum_reply_bytes);
  Result<void> introduce(const ConnectionOptions& options, Deadline deadline);
  Result<Reply> read_reply(Deadline deadline);

  Socket socket_;
  ReplyReader reader_;
  ServerVersion server_;
};

}  // namespace obol::inline v0::redis
