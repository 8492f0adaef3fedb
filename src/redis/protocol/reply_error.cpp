// Classifies error replies: a table by first word, pure functions only.
#include "redis/protocol/reply_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/decimal.hpp"
#include "redis/protocol/key_slot.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

/// An error by its first word, or by its first words if the first is ERR.
struct Row {
  std::string_view beginning;
  Remedy remedy;
  ErrorCode code;
  std::string_view advice;
};

constexpr std::string_view follow_advice =
    "this server is a node of a cluster and does not hold this user's slot; set ConnectionOptions::cluster "
    "(redis+cluster://)";

constexpr std::string_view memory_advice =
    "the server is at maxmemory; give it more, with maxmemory-policy noeviction (deletes still work)";

constexpr std::array rows{
    Row{"READONLY", Remedy::reconnect, ErrorCode::unavailable, "this server is a replica; connect to the primary"},
    Row{"LOADING", Remedy::reconnect, ErrorCode::unavailable, "the server is still loading its data; try again soon"},
    Row{"MASTERDOWN", Remedy::reconnect, ErrorCode::unavailable, "the replica has lost its primary; try again soon"},
    Row{"CLUSTERDOWN", Remedy::wait, ErrorCode::unavailable, "the cluster is down; check its nodes"},
    Row{"TRYAGAIN", Remedy::wait, ErrorCode::unavailable, "the cluster is moving this slot; try again soon"},
    Row{"BUSY", Remedy::reconnect, ErrorCode::unavailable,
        "the server is busy with a script; SCRIPT KILL or FUNCTION KILL ends it"},
    Row{"OOM", Remedy::fail, ErrorCode::out_of_memory, memory_advice},
    Row{"ERR Out of memory", Remedy::fail, ErrorCode::out_of_memory, memory_advice},
    Row{"NOPERM", Remedy::fail, ErrorCode::permission,
        "give the user the ACL rules in docs/operations.md, which obolctl acl prints"},
    Row{"NOAUTH", Remedy::reconnect, ErrorCode::auth, "the server does not take this connection as authenticated"},
    Row{"WRONGPASS", Remedy::fail, ErrorCode::auth, "wrong user name or password, or the user is disabled"},
    Row{"DENIED", Remedy::fail, ErrorCode::auth,
        "the server is in protected mode and accepts no connections from other machines; give it a password"},
    Row{"NOREPLICAS", Remedy::fail, ErrorCode::server, "too few replicas are connected (min-replicas-to-write)"},
    Row{"MISCONF", Remedy::fail, ErrorCode::server,
        "the server cannot persist and refuses writes; check its disk and log"},
    Row{"MOVED", Remedy::follow, ErrorCode::unsupported_server, follow_advice},
    Row{"ASK", Remedy::follow, ErrorCode::unsupported_server, follow_advice},
    Row{"WRONGTYPE", Remedy::fail, ErrorCode::server,
        "a key with Obol's prefix contains something else; choose another key_prefix"},
    Row{"ERR ACL failure in script", Remedy::fail, ErrorCode::permission,
        "the user lacks a command the functions use; give it the ACL rules in docs/operations.md, which obolctl acl "
        "prints, also those of the options that are set (such as policy)"},
    Row{"ERR Function not found", Remedy::load_functions, ErrorCode::unsupported_server,
        "Obol's function library is not loaded; load it with a user that may (obolctl functions load, or "
        "FunctionLoading::load_at_connect)"},
    Row{"NOSCRIPT", Remedy::load_scripts, ErrorCode::unsupported_server,
        "the server loses Obol's scripts as soon as they are loaded; is there a proxy that sends SCRIPT LOAD "
        "elsewhere?"},
    Row{"ERR max number of clients", Remedy::reconnect, ErrorCode::unavailable,
        "the server is at maxclients; raise it or lower pool.size"},
};

/// What a user that may not run a command is to do, where there is more to it than the rules of any command.
struct Right {
  std::string_view command;
  std::string_view advice;
};

constexpr std::array rights{
    Right{
        "FCALL",
        "the user lacks +fcall; give it the ACL rules in docs/operations.md, which obolctl acl prints, or use scripts "
        "(FunctionLoading::scripts, for obolctl --scripts), which need +evalsha and +script|load instead"},
    Right{"FUNCTION LOAD",
          "the user lacks +function|load; let a deploy user load the library (obolctl functions load) and set "
          "FunctionLoading::require_loaded, or use scripts (FunctionLoading::scripts), which need +evalsha and "
          "+script|load instead"},
    Right{"EVALSHA",
          "the user lacks +evalsha, which scripts need; give it the ACL rules that obolctl acl --scripts prints"},
    Right{"SCRIPT LOAD",
          "the user lacks +script|load, which scripts need; give it the ACL rules that obolctl acl --scripts prints"},
};

/// What a user may not access, such as "a key", "the 'x' key", "one of the keys used as arguments" or a database. Empty
/// if the user may not run the command.
std::string_view forbidden_data(std::string_view refusal) {
  constexpr std::string_view beginning = " to access ";
  const auto access = refusal.find(beginning);
  return access == std::string_view::npos ? std::string_view() : refusal.substr(access + beginning.size());
}

std::string_view advice_for(const Row& row, const Reply& error, std::string_view command) {
  if (row.code != ErrorCode::permission || row.beginning.contains(' ')) return row.advice;
  const auto data = forbidden_data(error.text);
  if (data.contains("key")) {
    return "the user may not access Obol's keys; give it the key pattern of its key_prefix, which obolctl acl --prefix "
           "prints";
  }
  const auto* const right = std::ranges::find(rights, command, &Right::command);
  return right == rights.end() || !data.empty() ? row.advice : right->advice;
}

const Row* row_of(const Reply& error) {
  const auto is_of = [&](const Row& row) {
    return row.beginning.contains(' ') ? error.text.starts_with(row.beginning) : error.error_word() == row.beginning;
  };
  const auto* row = std::ranges::find_if(rows, is_of);
  return row == rows.end() ? nullptr : row;
}

bool contains_ignoring_case(std::string_view text, std::string_view lower_case) {
  const auto same = [](char left, char right) {
    return (left >= 'A' && left <= 'Z' ? left + ('a' - 'A') : left) == right;
  };
  return !std::ranges::search(text, lower_case, same).empty();
}

// Redis and Valkey: "ERR unknown command 'x'", "ERR unknown subcommand 'x'", from a function "ERR Unknown Redis command
// called from script". Proxies and hosters: "unsupported command", "ERR command not supported", "ERR invalid command",
// "ERR command 'x' is not allowed", "ERR Command is not available: 'x'".
bool is_missing_command(const Reply& error) {
  constexpr std::size_t most = 200;
  constexpr std::array refusals{"unknown",     "unsupported",   "unrecognized", "invalid command",
                                "not support", "not available", "not allowed",  "not implemented",
                                "not enabled", "not permitted", "disabled",     "not recognized"};
  const auto text = std::string_view(error.text).substr(0, most);
  if (row_of(error) != nullptr) return false;
  if (!contains_ignoring_case(text, "command")) return false;
  return std::ranges::any_of(refusals, [&](const char* words) { return contains_ignoring_case(text, words); });
}

/// What a server without functions refuses.
bool is_of_functions(std::string_view command) { return command == "FCALL" || command == "FUNCTION LOAD"; }

/// A command that a function calls is missing, not the one that was sent.
bool is_from_script(const Reply& error) {
  constexpr std::array signs{"called from script", "running script", "user_script:", "user_function:"};
  return std::ranges::any_of(signs, [&](const char* sign) { return contains_ignoring_case(error.text, sign); });
}

// Only the first word of a server's text is passed on where the rest could repeat an argument, which may be a secret.
std::string quoted(const Reply& error) { return std::string(error.error_word().substr(0, 32)); }

Error make(ErrorCode code, const Reply& error, std::string_view command, std::string_view advice) {
  return {code,
          fmt::format("the server said {}{}{}: {}", quoted(error), command.empty() ? "" : " to ", command, advice)};
}

}  // namespace

Remedy remedy_for(const Reply& error, std::string_view command) {
  if (const Row* row = row_of(error)) return row->remedy;
  return is_of_functions(command) && is_missing_command(error) && !is_from_script(error) ? Remedy::load_scripts
                                                                                         : Remedy::fail;
}

// "MOVED 3999 host:port"; an IPv6 address stands there without brackets.
std::optional<Redirect> redirect_of(const Reply& error) {
  const std::string_view text = error.text;
  const auto kind = error.error_word() == "ASK" ? Redirect::Kind::ask : Redirect::Kind::moved;
  const auto slot_start = error.error_word().size() + 1;
  const auto slot_end = text.find(' ', std::min(slot_start, text.size()));
  const auto colon = text.rfind(':');
  if (slot_end == std::string_view::npos || colon == std::string_view::npos || colon < slot_end) return std::nullopt;
  const auto slot = decimal<std::uint16_t>(text.substr(slot_start, slot_end - slot_start));
  const auto port = decimal<std::uint16_t>(text.substr(colon + 1));
  const auto host = text.substr(slot_end + 1, colon - slot_end - 1);
  if (!slot || *slot >= slot_count || !port || *port == 0 || host.contains(' ')) return std::nullopt;
  return Redirect{.kind = kind, .slot = *slot, .to = {.host = std::string(host), .port = *port}};
}

Error error_of(const Reply& error, std::string_view command) {
  if (const Row* row = row_of(error)) return make(row->code, error, command, advice_for(*row, error, command));
  if (is_missing_command(error) && is_from_script(error)) {
    return make(ErrorCode::unsupported_server, error, command,
                "the function calls a command (HGET, HGETALL, HKEYS, HSETEX, HDEL, UNLINK) that the server does not "
                "know or allow");
  }
  if (is_missing_command(error) && is_of_functions(command)) {
    return make(ErrorCode::unsupported_server, error, command,
                "the server, or a proxy in between, knows no functions; use scripts (FunctionLoading::scripts, for "
                "obolctl --scripts)");
  }
  if (is_missing_command(error)) {
    return make(ErrorCode::unsupported_server, error, command,
                "Obol needs this command, but it is unknown or not allowed: it is renamed or blocked, a proxy does not "
                "pass it on, or the server is too old; docs/errors/unsupported_server.md lists the commands");
  }
  return make(ErrorCode::server, error, command, "an error Obol does not know; the server's log may say more");
}

Error error_of_handshake(const Reply& error, HandshakeContext context) {
  const auto [is_to_sentinel, sent_credentials] = context;
  const std::string_view options = is_to_sentinel ? "connection.sentinel" : "connection";
  if (is_missing_command(error) || error.error_word() == "NOPROTO") {
    return make(ErrorCode::unsupported_server, error, "HELLO",
                "HELLO 3 is unknown; Obol needs Redis 8.0 or newer, or Valkey 9.0 or newer, and a proxy in "
                "between must pass HELLO on");
  }
  auto told = error_of(error, "HELLO");
  if (error.error_word() == "NOAUTH" && sent_credentials) {
    told.message += fmt::format(
        ", although HELLO carried the user name and password of {}: a proxy in between does not pass them on; connect "
        "to the server itself, or to a proxy that supports HELLO with AUTH",
        options);
  } else if (error.error_word() == "NOAUTH") {
    told.message += fmt::format("; set {0}.password, {0}.password_file or {0}.credentials", options);
  }
  return told;
}

Error error_of_select(const Reply& error, std::uint32_t database) {
  constexpr std::string_view command = "SELECT";
  if (row_of(error) != nullptr) return error_of(error, command);
  if (error.text.starts_with("ERR SELECT is not allowed in cluster mode")) {
    return {ErrorCode::invalid_argument,
            fmt::format("connection.database is {}; this server is a node of a cluster, which has only 0", database)};
  }
  if (is_missing_command(error)) return error_of(error, command);
  return {ErrorCode::invalid_argument,
          fmt::format("the server has no database {}; choose one below its 'databases' setting", database)};
}

}}}  // namespace obol::v0::redis
