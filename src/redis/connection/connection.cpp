// Blocking loops over the state of a connection and its stream.
#include "redis/connection/connection.hpp"

#include <string>
#include <utility>

#include "redis/core/flight.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr std::size_t most_received_at_once = 65'536;

/// A server that expects TLS closes the connection when the first command is not encrypted.
Error unanswered(Error error, const ConnectionOptions& options) {
  if (error.code == ErrorCode::unavailable && !options.tls.enabled && options.unix_socket.empty()) {
    error.message += "; if this port speaks TLS, use rediss:// (connection.tls.enabled)";
  }
  return error;
}

}  // namespace

std::optional<CurrentCredentials> renewed_credentials(const ConnectionState& state, const CredentialsSource* source,
                                                      Deadline::Time::time_point now) {
  if (source == nullptr || !state.must_authenticate(source->generation(), now)) return std::nullopt;
  return source->current();
}

Connection::Connection(std::unique_ptr<Stream> stream, std::size_t max_reply_bytes, bool is_exposed,
                       std::chrono::milliseconds role_interval)
    : stream_(std::move(stream)),
      received_(std::make_unique_for_overwrite<char[]>(most_received_at_once)),
      state_(max_reply_bytes, role_interval),
      is_exposed_(is_exposed) {}

Result<void> Connection::handshake(const ConnectionOptions& options, const UserCredentials& credentials, Peer peer,
                                   Deadline deadline) {
  HandshakeMachine machine(options, peer);
  const auto greeted_at = Deadline::Time::now();
  bool was_answered = false;
  for (std::optional<Command> next = machine.begin(credentials); next;) {
    if (auto sent = stream_->write_all(next->bytes(), deadline); !sent) return sent;
    const auto reply = read_reply(deadline);
    if (!reply) return std::unexpected(was_answered ? reply.error() : unanswered(reply.error(), options));
    was_answered = true;
    auto step = machine.take(*reply);
    if (!step) return std::unexpected(std::move(step.error()));
    next = std::move(*step);
  }
  state_.begin(machine.introduction(), greeted_at);
  return {};
}

Result<Reply> Connection::call(const Command& command, Deadline deadline) {
  if (auto sent = send(command.bytes(), deadline); !sent) return std::unexpected(std::move(sent.error()));
  return read_reply(deadline);
}

Result<std::vector<Reply>> Connection::call_all(std::span<const Command> commands, Deadline deadline) {
  Flight flight;
  for (const auto& command : commands) flight.add(command.bytes());
  flight.seal(Flight::Marked::always);
  if (auto sent = send(flight.bytes(), deadline); !sent) return std::unexpected(std::move(sent.error()));
  for (;;) {
    auto reply = read_reply(deadline);
    if (!reply) return std::unexpected(std::move(reply.error()));
    const auto all = flight.take(std::move(*reply));
    if (!all) return std::unexpected(all.error());
    if (*all) return std::move(flight.replies());
  }
}

Result<void> Connection::send(std::string_view commands, Deadline deadline, std::size_t unanswered) {
  const auto now = Deadline::Time::now();
  auto questions = state_.questions_due(now, renewed_credentials(state_, credentials_.get(), now), unanswered);
  if (questions.empty()) return stream_->write_all(commands, deadline);
  return stream_->write_all(questions.append(commands), deadline);
}

void Connection::keep_authenticated(std::shared_ptr<CredentialsSource> source, CredentialsGeneration generation) {
  credentials_ = std::move(source);
  state_.keep_authenticated(generation);
}

Result<void> Connection::receive(Deadline deadline) {
  const auto received = stream_->read_some(received_.get(), most_received_at_once, deadline);
  if (!received) return std::unexpected(received.error());
  state_.feed({received_.get(), *received});
  return {};
}

Result<bool> Connection::receive_if_ready() {
  auto step = stream_->try_read(received_.get(), most_received_at_once);
  if (!step) return std::unexpected(std::move(step.error()));
  if (step->moved == 0) return false;
  state_.feed({received_.get(), step->moved});
  return true;
}

Result<std::optional<Reply>> Connection::next_reply() { return state_.next_reply(); }

Result<void> Connection::identify(Deadline deadline) {
  const auto reply = call(identity_question(), deadline);
  if (!reply) return std::unexpected(reply.error());
  return state_.take_identity(*reply);
}

Result<void> Connection::ask_role(std::size_t unanswered, Deadline deadline) {
  const auto now = Deadline::Time::now();
  if (credentials_) credentials_->renew_if_due(now);
  const auto questions = state_.questions(now, renewed_credentials(state_, credentials_.get(), now), unanswered);
  return stream_->write_all(questions, deadline);
}

Result<void> Connection::confirm_role(Deadline deadline) {
  if (auto sent = ask_role(0, deadline); !sent) return sent;
  for (;;) {
    const auto answered = state_.take_answers();
    if (!answered) return std::unexpected(answered.error());
    if (*answered) return {};
    if (auto received = receive(deadline); !received) return received;
  }
}

ConnectionParts Connection::release() && {
  return {.stream = std::move(stream_),
          .state = std::move(state_),
          .credentials = std::move(credentials_),
          .is_exposed = is_exposed_};
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
