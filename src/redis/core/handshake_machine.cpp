#include "redis/core/handshake_machine.hpp"

#include <fmt/format.h>

#include <utility>

#include "redis/protocol/reply_error.hpp"

namespace obol { inline namespace v0 { namespace redis {

HandshakeMachine::HandshakeMachine(const ConnectionOptions& options, Peer peer)
    : client_name_(options.client_name),
      database_(options.database),
      is_in_cluster_(!options.cluster.seeds.empty()),
      introduction_{.peer = peer} {}

Command HandshakeMachine::begin(const UserCredentials& credentials) {
  sent_credentials_ = sends_authentication(credentials);
  awaited_ = Awaited::greeting;
  return hello(credentials, client_name_);
}

Result<std::optional<Command>> HandshakeMachine::take(const Reply& reply) {
  switch (std::exchange(awaited_, Awaited::nothing)) {
    case Awaited::greeting:
      return take_greeting(reply);
    case Awaited::role:
      return take_role(reply);
    case Awaited::admission:
      if (reply.is_error()) return std::unexpected(error_of(reply, "READONLY"));
      return select_database();
    case Awaited::selection:
      if (reply.is_error()) return std::unexpected(error_of_select(reply, database_));
      return std::nullopt;
    case Awaited::nothing:
      break;
  }
  return std::unexpected(
      Error{ErrorCode::protocol, "a reply arrived in the handshake that nothing was sent for; is a proxy in between?"});
}

Result<std::optional<Command>> HandshakeMachine::take_greeting(const Reply& greeting) {
  const auto peer = introduction_.peer;
  if (greeting.is_error()) {
    return std::unexpected(error_of_handshake(
        greeting, {.is_to_sentinel = peer == Peer::sentinel, .sent_credentials = sent_credentials_}));
  }
  if (auto accepted = accept(greeting); !accepted) return std::unexpected(std::move(accepted.error()));
  if (peer == Peer::sentinel || peer == Peer::node) return std::nullopt;
  if (peer == Peer::primary && lacks_role(greeting)) {
    awaited_ = Awaited::role;
    return role_command();
  }
  if (peer == Peer::primary || !is_in_cluster_) return select_database();
  // A replica of a cluster sends readers to its primary unless they say so.
  awaited_ = Awaited::admission;
  return Command{"READONLY"};
}

Result<void> HandshakeMachine::accept(const Reply& greeting) {
  if (introduction_.peer == Peer::sentinel) return check_sentinel(greeting);
  auto version = server_version_in(greeting);
  if (!version) return std::unexpected(std::move(version.error()));
  introduction_.server = std::move(*version);
  introduction_.client_id = client_id_in(greeting);
  if (introduction_.peer != Peer::primary || lacks_role(greeting)) return {};
  return check_primary(greeting, RoleSource::hello);
}

// A server that tells its role nowhere, or not to this user, is used: what is only true of a primary's reads is then up
// to whoever chose the address, and a replica refuses to write.
Result<std::optional<Command>> HandshakeMachine::take_role(const Reply& role) {
  if (role.is_error() && (remedy_for(role) == Remedy::reconnect || remedy_for(role) == Remedy::wait)) {
    return std::unexpected(error_of(role, role_command().name()));
  }
  introduction_.role_source = role_source_by(role);
  if (introduction_.role_source == RoleSource::role) {
    if (auto is_primary = check_primary(role, RoleSource::role); !is_primary) {
      return std::unexpected(std::move(is_primary.error()));
    }
  }
  return select_database();
}

std::optional<Command> HandshakeMachine::select_database() {
  if (database_ == 0) return std::nullopt;
  awaited_ = Awaited::selection;
  return Command{"SELECT", fmt::format("{}", database_)};
}

}}}  // namespace obol::v0::redis
