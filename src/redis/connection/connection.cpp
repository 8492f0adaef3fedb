// Introduces connections to the server, looks after its role, and carries commands and replies.
#include "redis/connection/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "redis/protocol/marker.hpp"
#include "redis/protocol/reply_error.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr std::size_t most_received_at_once = 65'536;

Command hello(const UserCredentials& credentials, const std::string& client_name) {
  const auto user = user_of(credentials);
  const bool named = !client_name.empty();
  if (!sends_authentication(credentials)) {
    return named ? Command{"HELLO", "3", "SETNAME", client_name} : Command{"HELLO", "3"};
  }
  return named ? Command{"HELLO", "3", "AUTH", user, credentials.password, "SETNAME", client_name}
               : Command{"HELLO", "3", "AUTH", user, credentials.password};
}

// HELLO without arguments changes nothing, tells the role, and needs no permission.
// Source: https://redis.io/docs/latest/commands/hello/
const Command& role_question() {
  // Never destroyed: a thread may ask until the process is gone.
  static const auto& question = *new Command{"HELLO"};
  return question;
}

Error error_without_role(const Reply& hello) {
  const Reply* mode = hello.find("mode");
  if (mode != nullptr && mode->text == "sentinel") {
    return {ErrorCode::invalid_argument,
            "this server is a sentinel; set ConnectionOptions::sentinel (redis+sentinel://)"};
  }
  return {ErrorCode::unsupported_server,
          "the reply to HELLO does not say whether this is a primary; is a proxy answering instead?"};
}

Result<void> check_role(const Reply& hello) {
  const Reply* role = hello.find("role");
  if (role == nullptr) return std::unexpected(error_without_role(hello));
  if (role->text == "master") return {};
  return std::unexpected(
      Error{ErrorCode::unavailable, "this server is a replica; connect to the primary, or wait for the failover"});
}

Result<void> check_sentinel(const Reply& hello) {
  const Reply* mode = hello.find("mode");
  if (mode != nullptr && mode->text == "sentinel") return {};
  return std::unexpected(
      Error{ErrorCode::invalid_argument, "this server is not a sentinel; check connection.sentinel.sentinels"});
}

std::int64_t client_id_in(const Reply& hello) {
  const Reply* id = hello.find("id");
  return id == nullptr ? 0 : id->integer;
}

}  // namespace

Connection::Connection(std::unique_ptr<Stream> stream, std::size_t max_reply_bytes, bool is_exposed,
                       std::chrono::milliseconds role_interval)
    : stream_(std::move(stream)),
      received_(std::make_unique_for_overwrite<char[]>(most_received_at_once)),
      reader_(max_reply_bytes),
      is_exposed_(is_exposed),
      role_interval_(role_interval) {}

Result<void> Connection::handshake(const ConnectionOptions& options, const UserCredentials& credentials, Peer peer,
                                   Deadline deadline) {
  const auto exchange = [&](const Command& command) -> Result<Reply> {
    if (auto sent = stream_->write_all(command.bytes(), deadline); !sent) return std::unexpected(sent.error());
    return read_reply(deadline);
  };
  must_be_primary_ = peer == Peer::primary;
  role_asked_at_ = Deadline::Time::now();
  auto greeting = exchange(hello(credentials, options.client_name));
  if (!greeting) return std::unexpected(std::move(greeting.error()));
  const HandshakeContext context{.is_to_sentinel = peer == Peer::sentinel,
                                 .sent_credentials = sends_authentication(credentials)};
  if (greeting->is_error()) return std::unexpected(error_of_handshake(*greeting, context));
  // Sentinels of any release serve well.
  if (peer == Peer::sentinel) return check_sentinel(*greeting);
  auto version = check_server_version(*greeting);
  if (!version) return std::unexpected(std::move(version.error()));
  server_ = std::move(*version);
  client_id_ = client_id_in(*greeting);
  if (peer == Peer::node) return {};
  if (must_be_primary_) {
    if (auto primary = check_role(*greeting); !primary) return primary;
  } else if (!options.cluster.seeds.empty()) {
    auto admitted = exchange(Command{"READONLY"});
    if (!admitted) return std::unexpected(std::move(admitted.error()));
    if (admitted->is_error()) return std::unexpected(error_of(*admitted, "READONLY"));
  }

  if (options.database == 0) return {};
  auto selected = exchange(Command{"SELECT", fmt::format("{}", options.database)});
  if (!selected) return std::unexpected(std::move(selected.error()));
  if (!selected->is_error()) return {};
  return std::unexpected(error_of_select(*selected, options.database));
}

Result<Reply> Connection::call(const Command& command, Deadline deadline) {
  if (auto sent = send(command.bytes(), deadline); !sent) return std::unexpected(std::move(sent.error()));
  return read_reply(deadline);
}

Result<std::vector<Reply>> Connection::call_all(std::span<const Command> commands, Deadline deadline) {
  const auto marker = Marker::next();
  std::string batch;
  for (const auto& command : commands) batch += command.bytes();
  batch += marker.command().bytes();
  if (auto sent = send(batch, deadline); !sent) return std::unexpected(std::move(sent.error()));
  std::vector<Reply> replies;
  replies.reserve(commands.size());
  while (replies.size() < commands.size()) {
    auto reply = read_reply(deadline);
    if (!reply) return std::unexpected(std::move(reply.error()));
    replies.push_back(std::move(*reply));
  }
  const auto last = read_reply(deadline);
  if (!last) return std::unexpected(last.error());
  if (auto checked = marker.check(*last); !checked) return std::unexpected(std::move(checked.error()));
  return replies;
}

Result<void> Connection::send(std::string_view commands, Deadline deadline) {
  auto questions = due_questions(Deadline::Time::now());
  if (questions.empty()) return stream_->write_all(commands, deadline);
  return stream_->write_all(questions.append(commands), deadline);
}

std::string Connection::due_questions(Deadline::Time::time_point now) {
  auto questions = reauthentication_.command_if_due(now);
  if (!must_be_primary_ || now - role_asked_at_ < role_interval_) return questions;
  role_asked_at_ = now;
  role_is_due_ = true;
  return questions.append(role_question().bytes());
}

void Connection::keep_authenticated(std::shared_ptr<CredentialsSource> source,
                                    CredentialsSource::Generation generation) {
  reauthentication_.follow(std::move(source), generation);
}

Result<void> Connection::receive(Deadline deadline) {
  const auto received = stream_->read_some(received_.get(), most_received_at_once, deadline);
  if (!received) return std::unexpected(received.error());
  reader_.feed({received_.get(), *received});
  return {};
}

Result<bool> Connection::receive_if_ready() {
  auto step = stream_->try_read(received_.get(), most_received_at_once);
  if (!step) return std::unexpected(std::move(step.error()));
  if (step->moved == 0) return false;
  reader_.feed({received_.get(), step->moved});
  return true;
}

Result<std::optional<Reply>> Connection::next_reply() {
  for (;;) {
    auto reply = reader_.next();
    if (!reply || !*reply) return reply;
    if ((*reply)->kind == Reply::Kind::push) {
      if (take_push_) {
        take_push_(**reply);
      } else {
        reader_.count_as_waste();
      }
      continue;
    }
    if (reauthentication_.awaits_reply()) {
      reauthentication_.take_reply(**reply);
      continue;
    }
    if (!role_is_due_) return reply;
    if (auto role = take_role(**reply); !role) return std::unexpected(std::move(role.error()));
  }
}

Result<void> Connection::identify(Deadline deadline) {
  const auto reply = call(identity_question(), deadline);
  if (!reply) return std::unexpected(reply.error());
  const auto identity = identity_answer(*reply);
  if (!identity) return std::unexpected(identity.error());
  identity_ = *identity;
  return {};
}

Result<void> Connection::confirm_role(Deadline deadline) {
  role_asked_at_ = Deadline::Time::now();
  reauthentication_.renew_source(role_asked_at_);
  const auto questions = reauthentication_.command_if_due(role_asked_at_).append(role_question().bytes());
  if (auto sent = stream_->write_all(questions, deadline); !sent) return sent;
  const auto role = read_reply(deadline);
  if (!role) return std::unexpected(role.error());
  return take_role(*role);
}

// The answers of the commands behind the question count only once the role is known.
Result<void> Connection::take_role(const Reply& role) {
  role_is_due_ = false;
  if (role.is_error()) {
    auto error = error_of(role, role_question().name());
    // Also if it is this connection alone that is not authenticated any more.
    if (remedy_for(role) == Remedy::reconnect) error.code = ErrorCode::unavailable;
    return std::unexpected(std::move(error));
  }
  if (identity_.is_known() && client_id_in(role) != client_id_) {
    return std::unexpected(Error{ErrorCode::unavailable, "a proxy in between moved the connection to another server"});
  }
  return check_role(role);
}

Result<Reply> Connection::read_reply(Deadline deadline) {
  for (;;) {
    auto reply = next_reply();
    if (!reply) return std::unexpected(std::move(reply.error()));
    if (*reply) return std::move(**reply);
    if (auto received = receive(deadline); !received) return std::unexpected(std::move(received.error()));
  }
}

}}}  // namespace obol::v0::redis
