// Opens connections, introduces them to the server, and carries commands and replies.
#include "redis/connection.hpp"

#include <fmt/format.h>

#include <array>

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

Error at_endpoint(const ConnectionOptions& options, Error error) {
  error.message = fmt::format("{}: {}", endpoint_name(options), error.message);
  return error;
}

}  // namespace

Connection::Connection(Socket socket, std::size_t maximum_reply_bytes)
    : socket_(std::move(socket)), reader_(maximum_reply_bytes) {}

Result<Connection> Connection::open(const ConnectionOptions& options, std::size_t maximum_reply_bytes,
                                    Deadline deadline) {
  auto socket = Socket::connect(options, deadline);
  if (!socket) return std::unexpected(at_endpoint(options, std::move(socket.error())));
  Connection connection(std::move(*socket), maximum_reply_bytes);
  if (auto introduced = connection.introduce(options, deadline); !introduced) {
    return std::unexpected(at_endpoint(options, std::move(introduced.error())));
  }
  return connection;
}

Result<void> Connection::introduce(const ConnectionOptions& options, Deadline deadline) {
  auto greeting = call(hello(options), deadline);
  if (!greeting) return std::unexpected(std::move(greeting.error()));
  if (greeting->is_error()) return std::unexpected(error_of_introduction(*greeting));
  auto version = check_server_version(*greeting);
  if (!version) return std::unexpected(std::move(version.error()));
  server_ = std::move(*version);

  if (options.database == 0) return {};
  auto selected = call(Command{"SELECT", fmt::format("{}", options.database)}, deadline);
  if (!selected) return std::unexpected(std::move(selected.error()));
  if (!selected->is_error()) return {};
  return std::unexpected(error_of_select(*selected, options.database));
}

Result<Reply> Connection::call(const Command& command, Deadline deadline) {
  if (auto sent = socket_.write_all(command.bytes(), deadline); !sent) return std::unexpected(std::move(sent.error()));
  return read_reply(deadline);
}

Result<Reply> Connection::read_reply(Deadline deadline) {
  std::array<char, 16'384> buffer;
  for (;;) {
    auto reply = reader_.next();
    if (!reply) return std::unexpected(std::move(reply.error()));
    // A push answers no command.
    if (*reply && (*reply)->kind != Reply::Kind::push) return std::move(**reply);
    if (*reply) continue;
    auto received = socket_.read_some(buffer.data(), buffer.size(), deadline);
    if (!received) return std::unexpected(std::move(received.error()));
    if (auto fed = reader_.feed({buffer.data(), *received}); !fed) return std::unexpected(std::move(fed.error()));
  }
}

}  // namespace obol::inline v0::redis
