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

/// HELLO without arguments changes nothing, tells the role, and needs no permission.
const Command& role_question();

/// Of a reply to HELLO. `unavailable` for a replica, `invalid_argument` for a sentinel, `unsupported_server` if the
/// reply does not tell.
Result<void> check_primary(const Reply& hello);

/// `invalid_argument` if it is none.
Result<void> check_sentinel(const Reply& hello);

/// The server's number of this connection, 0 if it does not tell.
std::int64_t client_id_in(const Reply& hello);

}}}  // namespace obol::v0::redis
