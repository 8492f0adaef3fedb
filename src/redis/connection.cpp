// Introduces connections to the server, looks after its role, and carries commands and replies.
#include "redis/connection.hpp"

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>

#include "redis/reply_error.hpp"

namespace obol::inline v0::redis {
namespace {

Command hello(const ConnectionOptions& options) {
  const std::string_view user = options.username.empty() ? "default" : std::string_view(options.username);
  const bool named = !options.client_name.empty();
  if (options.password.empty()) {
    return named ? Command{"HELLO", "3", "SETNAME", options.client_name} : Command{"HELLO", "3"};
  }
  return named ? Command{"HELLO", "3", "AUTH", user, options.password, "SETNAME", options.client_name}
               : Command{"HELLO", "3", "AUTH", user, options.password};
}

// HELLO without arguments changes nothing, tells the role, and needs no permission.
// Source: https://redis.io/docs/latest/commands/hello/
const Command& role_question() {
  static const Command question{"HELLO"};
  return question;
}

Result<void> check_role(const Reply& hello) {
  const Reply* role = hello.find("role");
  if (role != nullptr && role->text == "master") return {};
  return std::unexpected(
      Error{ErrorCode::unavailable, "this server is a replica; connect to the primary, or wait for the fail-over"});
}

}  // namespace

Connection::Connection(std::unique_ptr<Stream> stream, std::size_t maximum_reply_bytes, bool is_exposed)
    : stream_(std::move(stream)), reader_(maximum_reply_bytes), is_exposed_(is_exposed) {}

Result<void> Connection::introduce(const ConnectionOptions& options, Deadline deadline) {
  const auto exchange = [&](const Command& command) -> Result<Reply> {
    if (auto sent = stream_->write_all(command.bytes(), deadline); !sent) return std::unexpected(sent.error());
    return read_reply(deadline);
  };
  role_seen_at_ = Deadline::Time::now();
  auto greeting = exchange(hello(options));
  if (!greeting) return std::unexpected(std::move(greeting.error()));
  if (greeting->is_error()) return std::unexpected(error_of_introduction(*greeting));
  auto version = check_server_version(*greeting);
  if (!version) return std::unexpected(std::move(version.error()));
  server_ = std::move(*version);
  if (auto primary = check_role(*greeting); !primary) return primary;

  if (options.database == 0) return {};
  auto selected = exchange(Command{"SELECT", fmt::format("{}", options.database)});
  if (!selected) return std::unexpected(std::move(selected.error()));
  if (!selected->is_error()) return {};
  return std::unexpected(error_of_select(*selected, options.database));
}

Result<Reply> Connection::call(const Command& command, Deadline deadline) {
  if (auto sent = send({&command, 1}, deadline); !sent) return std::unexpected(std::move(sent.error()));
  return read_reply(deadline);
}

Result<std::vector<Reply>> Connection::call_all(std::span<const Command> commands, Deadline deadline) {
  if (auto sent = send(commands, deadline); !sent) return std::unexpected(std::move(sent.error()));
  std::vector<Reply> replies;
  replies.reserve(commands.size());
  while (replies.size() < commands.size()) {
    auto reply = read_reply(deadline);
    if (!reply) return std::unexpected(std::move(reply.error()));
    replies.push_back(std::move(*reply));
  }
  return replies;
}

// The role is asked for in front of the commands: their answers count only once it is known.
Result<void> Connection::send(std::span<const Command> commands, Deadline deadline) {
  const auto now = Deadline::Time::now();
  const bool asks_role = now - role_seen_at_ >= role_check_interval;
  if (!asks_role && commands.size() == 1) return stream_->write_all(commands.front().bytes(), deadline);
  std::string batch;
  if (asks_role) batch += role_question().bytes();
  for (const auto& command : commands) batch += command.bytes();
  if (auto sent = stream_->write_all(batch, deadline); !sent || !asks_role) return sent;
  auto role = read_reply(deadline);
  if (!role) return std::unexpected(std::move(role.error()));
  if (role->is_error()) return std::unexpected(error_of_introduction(*role));
  role_seen_at_ = now;
  return check_role(*role);
}

Result<Reply> Connection::read_reply(Deadline deadline) {
  std::array<char, 16'384> buffer;
  for (;;) {
    auto reply = reader_.next();
    if (!reply) return std::unexpected(std::move(reply.error()));
    // A push answers no command.
    if (*reply && (*reply)->kind != Reply::Kind::push) return std::move(**reply);
    if (*reply) continue;
    auto received = stream_->read_some(buffer.data(), buffer.size(), deadline);
    if (!received) return std::unexpected(std::move(received.error()));
    if (auto fed = reader_.feed({buffer.data(), *received}); !fed) return std::unexpected(std::move(fed.error()));
  }
}

}  // namespace obol::inline v0::redis
