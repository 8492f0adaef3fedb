// What an error reply means: the code and advice for the caller, and what the store should do about it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "obol/error.hpp"
#include "obol/server_address.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// What to do when the server answers a command with an error.
enum class Remedy {
  fail,            ///< Tell the caller: trying again does not help.
  load_functions,  ///< The function is unknown here: load the library, then repeat.
  load_scripts,    ///< The script is, or the server knows no functions: load the scripts, then repeat.
  reconnect,       ///< This server cannot do it now, another one or a later attempt can: drop the connection, repeat.
  wait,            ///< The cluster cannot do it now, the connection is good: repeat after a pause.
  follow,          ///< Another node of the cluster has to be asked: see redirect_of.
};

/// Judges an error reply by its first word; the text behind it differs between servers and versions. `command`: the
/// name of what was sent, see Command::name; if it is empty, the server is taken to know it.
Remedy remedy_for(const Reply& error, std::string_view command = {});

/// Where a node of a cluster sends a command to; it did not run it.
/// Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#redirection-and-resharding
struct Redirect {
  enum class Kind { moved, ask };  ///< For good, or for this one command, with ASKING in front of it.
  Kind kind;
  std::uint16_t slot;
  ServerAddress to;  ///< An empty host: that of the node that said so.
};

/// What a reply with Remedy::follow says; nothing where it is malformed.
std::optional<Redirect> redirect_of(const Reply& error);

/// The error to give the caller for an error reply. `command`: the name of what was sent, see Command::name; may be
/// empty where the error does not hang on it.
Error error_of(const Reply& error, std::string_view command = {});

/// What the handshake told the server, so that the advice fits.
struct HandshakeContext {
  bool is_to_sentinel = false;
  bool sent_credentials = false;
};

/// The same for HELLO and AUTH, and for SELECT, whose refusals mean something of their own.
Error error_of_handshake(const Reply& error, HandshakeContext context);
Error error_of_select(const Reply& error, std::uint32_t database);

}}}  // namespace obol::v0::redis
