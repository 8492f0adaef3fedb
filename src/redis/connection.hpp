// One introduced connection to a primary: commands go in, their own replies come out.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "obol/error.hpp"
#include "obol/redis_options.hpp"
#include "redis/command.hpp"
#include "redis/deadline.hpp"
#include "redis/reply.hpp"
#include "redis/server_version.hpp"
#include "redis/stream.hpp"

namespace obol::inline v0::redis {

/// A demoted primary goes on answering reads on old connections, so no answer is older than this since the last look.
constexpr std::chrono::milliseconds role_check_interval{1500};

/// Not thread-safe: one caller at a time. After any error of call the connection is of no use and must be closed: an
/// answer that comes late would reach another caller.
class Connection {
 public:
  /// `is_exposed`: unencrypted, to another machine.
  Connection(std::unique_ptr<Stream> stream, std::size_t maximum_reply_bytes, bool is_exposed);

  /// Introduces itself: HELLO 3 with AUTH and SETNAME, then SELECT. The server's version and role are checked.
  Result<void> introduce(const ConnectionOptions& options, Deadline deadline);

  /// Sends the command and gives its reply, an error reply included. Where the server's role was last seen more than
  /// `role_check_interval` ago, it is asked for again in the same send. `timeout`, `unavailable` (the server has become
  /// a replica, too), `protocol`, `too_large`.
  Result<Reply> call(const Command& command, Deadline deadline);

  /// Several commands in one send; their replies in order.
  Result<std::vector<Reply>> call_all(std::span<const Command> commands, Deadline deadline);

  /// True where it can be lent out again: the peer is there and nothing unread has come.
  bool is_reusable() const { return !reader_.has_unread_bytes() && stream_->is_quiet(); }

  bool is_exposed() const { return is_exposed_; }
  const ServerVersion& server() const { return server_; }
  int descriptor() const { return stream_->descriptor(); }

 private:
  Result<void> send(std::span<const Command> commands, Deadline deadline);
  Result<Reply> read_reply(Deadline deadline);

  std::unique_ptr<Stream> stream_;
  ReplyReader reader_;
  bool is_exposed_;
  Deadline::Time::time_point role_seen_at_{};
  ServerVersion server_;
};

}  // namespace obol::inline v0::redis
