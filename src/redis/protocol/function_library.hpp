// Functions that the server runs for us: as a library or as scripts, and how they get there.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "obol/error.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// How a server has the functions.
enum class FunctionForm : std::uint8_t {
  library,        ///< FUNCTION LOAD loads all of them, FCALL runs one by its name.
  scripts,        ///< SCRIPT LOAD loads each of them, EVALSHA runs one by the hash of its source.
  plain_scripts,  ///< The same without the line that declares flags, for servers that take no `#!lua`.
};

/// One function of a library as a script. It takes the keys and arguments that the function takes, and declares the
/// same flags.
struct ServerScript {
  std::string_view function;  ///< Its name in the library.
  std::string_view sha1;      ///< Of the source, in hexadecimal digits.
  std::string_view source;
  std::string_view plain_sha1{};  ///< Of the plain source.

  /// Without its first line, which declares the flags.
  std::string_view plain_source() const { return source.substr(source.find('\n') + 1); }
};

/// True if these replies to SCRIPT LOAD say that a script does not compile: to a server that does not know the line
/// that declares flags, it is no Lua.
bool is_no_lua(std::span<const Reply> replies);

/// Commands as they are, or the scripts in their place. Valid as long as the commands and this.
struct SentCommands {
  std::vector<Command> scripts;  ///< Empty if the commands are sent as they are.
  std::span<const Command> commands;
};

/// Source and name; the name ends in a hash of the source, so libraries of different releases never meet.
struct FunctionLibrary {
  std::string_view name;
  std::string_view source;
  std::span<const ServerScript> scripts{};  ///< One for each function.

  /// FUNCTION LOAD without REPLACE.
  /// Source: https://redis.io/docs/latest/commands/function-load/
  Command load_command() const;

  /// What its reply means: true where it was loaded now, false where it stood already.
  Result<bool> load_result(const Reply& reply) const;

  /// SCRIPT LOAD of each script, in a form of scripts. Servers drop scripts that only EVAL has loaded if there are many
  /// of them, and keep these. Source: https://redis.io/docs/latest/commands/script-load/
  std::vector<Command> script_load_commands(FunctionForm form) const;

  /// What their replies mean.
  Result<void> script_load_result(std::span<const Reply> replies, FunctionForm form) const;

  /// The EVALSHA that does what an FCALL of one of the functions does; nothing for any other command, and nothing for a
  /// server that has the library.
  std::optional<Command> as_script(const Command& command, FunctionForm form) const;

  /// The same for commands that are sent together: all of them, those that are no FCALL as they are; none for a server
  /// that has the library.
  std::vector<Command> as_scripts(std::span<const Command> commands, FunctionForm form) const;

  /// Commands as a server of that form is sent them.
  SentCommands as_sent(std::span<const Command> commands, FunctionForm form) const;
};

}}}  // namespace obol::v0::redis
