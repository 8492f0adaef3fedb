// What a client needs of a server that it is not tested on, and whether the server's answers show it.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "obol/error.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"
#include "redis/protocol/server_version.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Something that a server must be able to do, and a harmless command that shows whether it is.
struct Capability {
  std::string_view name;  ///< For messages, such as "HSETEX with FNX and PXAT".
  Command command;
  std::optional<Reply::Kind> answer{};  ///< The only kind of reply that shows it; nothing: any.
  /// Whether a reply of that kind shows it; null: every one does.
  bool (*is_understood)(const Reply& reply) = nullptr;
};

/// Judges the replies to the commands of these capabilities, one for each. `unsupported_server` names all that the
/// server lacks. A refusal for another reason shows nothing: that a right is missing or the memory is full is told by
/// the call that needs it. But what says that the server cannot serve now, or is the wrong one, is an error.
Result<void> check_capabilities(const ServerVersion& server, std::span<const Capability> needed,
                                std::span<const Reply> replies);

}}}  // namespace obol::v0::redis
