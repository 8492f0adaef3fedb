// HELLO and AUTH: what a connection says of itself, and what the server says of itself.
#pragma once

#include <cstdint>
#include <string_view>

#include "obol/error.hpp"
#include "obol/user_credentials.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// False for credentials that stand for nobody: then neither HELLO nor AUTH sends them.
bool sends_authentication(const UserCredentials& credentials);

/// The first command of a connection. `client_name`: empty for none.
/// Source: https://redis.io/docs/latest/commands/hello/
Command hello(const UserCredentials& credentials, std::string_view client_name);

/// For a connection that is in use already.
Command authentication(const UserCredentials& credentials);

/// What tells whether a server is a primary.
enum class RoleSource {
  hello,   ///< HELLO, as every server does that Obol is tested on.
  role,    ///< ROLE: HELLO's reply has no role.
  nobody,  ///< Neither; a replica then shows when it refuses to write.
};

/// True if the reply to HELLO is one of a server that does not tell its role there.
bool lacks_role(const Reply& hello);

/// ROLE, for a server whose HELLO does not tell.
/// Source: https://redis.io/docs/latest/commands/role/
Command role_command();

/// Where the role is told, by the reply to role_command().
RoleSource role_source_by(const Reply& role);

/// Changes nothing. HELLO without arguments, which needs no permission, unless ROLE tells.
const Command& role_question(RoleSource source);

/// Of the answer to the question for the role. `unavailable` for a replica, `invalid_argument` for a sentinel,
/// `unsupported_server` if it does not tell but should.
Result<void> check_primary(const Reply& answer, RoleSource source);

/// `invalid_argument` if it is none.
Result<void> check_sentinel(const Reply& hello);

/// The server's number of this connection, 0 if it does not tell.
std::int64_t client_id_in(const Reply& hello);

}}}  // namespace obol::v0::redis
