// The handshake of a connection, step by step: what to send next, and whether the server is one that can be used.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "obol/connection_options.hpp"
#include "obol/error.hpp"
#include "obol/user_credentials.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/hello.hpp"
#include "redis/protocol/reply.hpp"
#include "redis/protocol/server_version.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Who is expected at the other end.
enum class Peer {
  primary,
  replica,  ///< Or what has become of it: it is only read from.
  node,     ///< A primary or a replica.
  sentinel,
};

/// What a complete handshake has shown.
struct Introduction {
  Peer peer = Peer::primary;
  ServerVersion server{};                      ///< Empty for a sentinel: those of any release serve well.
  std::int64_t client_id = 0;                  ///< The server's number for this connection, 0 if it does not tell.
  RoleSource role_source = RoleSource::hello;  ///< Meaningful for a primary.
};

/// HELLO 3 with AUTH and SETNAME; what the server is, and its role if it must be a primary, for which ROLE is asked if
/// HELLO does not tell; READONLY for a replica of a cluster; SELECT. Not thread-safe.
class HandshakeMachine {
 public:
  HandshakeMachine(const ConnectionOptions& options, Peer peer);

  /// What to send first. The credentials are not kept.
  Command begin(const UserCredentials& credentials);

  /// Takes the reply to what was sent last. What to send next, nothing once the handshake is complete. After an error
  /// the connection is of no use: `unavailable` (also a replica), `auth`, `permission`, `unsupported_server`,
  /// `invalid_argument` (no such database, a sentinel), `protocol`.
  Result<std::optional<Command>> take(const Reply& reply);

  /// Meaningful once the handshake is complete.
  const Introduction& introduction() const { return introduction_; }

 private:
  enum class Awaited { nothing, greeting, role, admission, selection };

  Result<std::optional<Command>> take_greeting(const Reply& greeting);
  Result<void> accept(const Reply& greeting);
  Result<std::optional<Command>> take_role(const Reply& role);
  std::optional<Command> select_database();

  const std::string client_name_;
  const std::uint32_t database_;
  const bool is_in_cluster_;
  bool sent_credentials_ = false;
  Awaited awaited_ = Awaited::nothing;
  Introduction introduction_;
};

}}}  // namespace obol::v0::redis
