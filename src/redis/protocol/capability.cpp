// Sorts replies into what a server can do, what it lacks, and what says nothing of either.
#include "redis/protocol/capability.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "redis/protocol/reply_error.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

enum class Shown { nothing_missing, unknown_command, other_form };

/// An error that says more of the server than of the command.
bool is_of_server(const Reply& error) {
  const auto remedy = remedy_for(error);
  return remedy == Remedy::reconnect || remedy == Remedy::wait || remedy == Remedy::follow;
}

// A command that is known and refused for a state has a word of its own (OOM, NOPERM, MISCONF); ERR is what servers say
// to arguments that they do not understand. A server that refuses an expiry in the past has understood them.
Shown shown_by_error(const Reply& error, std::string_view command) {
  if (remedy_for(error) != Remedy::fail) return Shown::nothing_missing;
  const auto code = error_of(error, command).code;
  if (code == ErrorCode::unsupported_server) return Shown::unknown_command;
  if (code != ErrorCode::server || error.error_word() != "ERR") return Shown::nothing_missing;
  return error.text.contains("invalid expire") ? Shown::nothing_missing : Shown::other_form;
}

Shown shown_by(const Capability& capability, const Reply& reply) {
  if (reply.is_error()) return shown_by_error(reply, capability.command.name());
  if (capability.answer && reply.kind != *capability.answer) return Shown::other_form;
  const bool is_understood = capability.is_understood == nullptr || capability.is_understood(reply);
  return is_understood ? Shown::nothing_missing : Shown::other_form;
}

Error lacking(const ServerVersion& server, std::string_view names) {
  auto message = fmt::format(
      "{} found, which lacks {} (it is too old or works otherwise than Redis, or these are renamed or blocked by a "
      "proxy); use {}, or another server that has all that docs/servers.md lists",
      server.name(), names, tested_servers);
  return {ErrorCode::unsupported_server, std::move(message)};
}

}  // namespace

Result<void> check_capabilities(const ServerVersion& server, std::span<const Capability> needed,
                                std::span<const Reply> replies) {
  std::string names;
  for (std::size_t i = 0; i < needed.size(); ++i) {
    if (replies[i].is_error() && is_of_server(replies[i])) {
      return std::unexpected(error_of(replies[i], needed[i].command.name()));
    }
    const auto shown = shown_by(needed[i], replies[i]);
    if (shown == Shown::nothing_missing) continue;
    if (!names.empty()) names += ", ";
    names += shown == Shown::unknown_command ? needed[i].command.name() : needed[i].name;
  }
  if (names.empty()) return {};
  return std::unexpected(lacking(server, names));
}

}}}  // namespace obol::v0::redis
