// How functions are loaded and called in either form, and what the server says to it.
#include "redis/protocol/function_library.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "redis/protocol/reply_error.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

Error loading_error(const Reply& refusal, std::string_view command, std::string_view what) {
  Error error = error_of(refusal, command);
  error.message = fmt::format("{} could not be loaded: {}", what, error.message);
  return error;
}

std::string_view hash_of(const ServerScript& script, FunctionForm form) {
  return form == FunctionForm::plain_scripts ? script.plain_sha1 : script.sha1;
}

}  // namespace

// "Error compiling script (new function): user_script:1: unexpected symbol near '#'", "Invalid flag: allow-oom". Any
// other error may pass, and a server that knows flags had better have them.
bool is_no_lua(std::span<const Reply> replies) {
  constexpr std::array<std::string_view, 5> signs{"symbol", "syntax", "compil", "shebang", "flag"};
  return std::ranges::any_of(replies, [&](const Reply& reply) {
    const auto is_in_text = [&](std::string_view sign) { return reply.text.contains(sign); };
    return reply.is_error() && std::ranges::any_of(signs, is_in_text) && reply.error_word() == "ERR" &&
           remedy_for(reply) == Remedy::fail && error_of(reply, "SCRIPT LOAD").code == ErrorCode::server;
  });
}

Command FunctionLibrary::load_command() const { return {"FUNCTION", "LOAD", source}; }

Result<bool> FunctionLibrary::load_result(const Reply& reply) const {
  if (reply.kind == Reply::Kind::text) return true;
  if (!reply.is_error()) {
    return std::unexpected(Error{
        ErrorCode::protocol,
        "the server's reply to FUNCTION LOAD is not the library's name; is a proxy changing commands or replies?"});
  }
  if (reply.text == fmt::format("ERR Library '{}' already exists", name)) return false;
  return std::unexpected(loading_error(reply, "FUNCTION LOAD", fmt::format("the function library {}", name)));
}

std::vector<Command> FunctionLibrary::script_load_commands(FunctionForm form) const {
  std::vector<Command> commands;
  commands.reserve(scripts.size());
  const bool is_plain = form == FunctionForm::plain_scripts;
  for (const auto& script : scripts) {
    commands.push_back({"SCRIPT", "LOAD", is_plain ? script.plain_source() : script.source});
  }
  return commands;
}

// A server that hashes otherwise, or a proxy that answers for it, would never find them.
Result<void> FunctionLibrary::script_load_result(std::span<const Reply> replies, FunctionForm form) const {
  for (std::size_t i = 0; i < scripts.size(); ++i) {
    const auto& reply = replies[i];
    if (reply.is_error()) {
      return std::unexpected(loading_error(reply, "SCRIPT LOAD", "the scripts"));
    }
    if (reply.text != hash_of(scripts[i], form)) {
      return std::unexpected(Error{
          ErrorCode::protocol,
          "the server's reply to SCRIPT LOAD is not the script's SHA-1; is a proxy changing commands or replies?"});
    }
  }
  return {};
}

std::optional<Command> FunctionLibrary::as_script(const Command& command, FunctionForm form) const {
  if (form == FunctionForm::library || command.word(0) != "FCALL") return std::nullopt;
  const auto script = std::ranges::find(scripts, command.word(1), &ServerScript::function);
  if (script == scripts.end()) return std::nullopt;
  return command.with_first_words("EVALSHA", hash_of(*script, form));
}

std::vector<Command> FunctionLibrary::as_scripts(std::span<const Command> commands, FunctionForm form) const {
  if (form == FunctionForm::library) return {};
  std::vector<Command> all;
  all.reserve(commands.size());
  for (const auto& command : commands) {
    if (auto script = as_script(command, form)) {
      all.push_back(std::move(*script));
    } else {
      all.push_back(command);
    }
  }
  return all;
}

SentCommands FunctionLibrary::as_sent(std::span<const Command> commands, FunctionForm form) const {
  SentCommands sent{.scripts = as_scripts(commands, form), .commands = commands};
  if (!sent.scripts.empty()) sent.commands = sent.scripts;
  return sent;
}

}}}  // namespace obol::v0::redis
