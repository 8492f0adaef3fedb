// Classifies error replies: a table by first word, pure functions only.
#include "redis/reply_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "decimal.hpp"
#include "redis/key_slot.hpp"

namespace obol::inline v0::redis {
namespace {

struct Row {
  std::string_view word;
  Remedy remedy;
  ErrorCode code;
  std::string_view advice;
};

constexpr std::string_view follow_advice =
    "this server is a node of a cluster and does not hold this user's slot; set ConnectionOptions::cluster "
    "(redis+cluster://)";

constexpr std::array rows{
    Row{"READONLY", Remedy::reconnect, ErrorCode::unavailable, "this server is a replica; connect to the primary"},
    Row{"LOADING", Remedy::reconnect, ErrorCode::unavailable, "the server is still loading its data; try again soon"},
    Row{"MASTERDOWN", Remedy::reconnect, ErrorCode::unavailable, "the replica has lost its primary; try again soon"},
    Row{"CLUSTERDOWN", Remedy::wait, ErrorCode::unavailable, "the cluster is down; check its nodes"},
    Row{"TRYAGAIN", Remedy::wait, ErrorCode::unavailable, "the cluster is moving this slot; try again soon"},
    Row{"BUSY", Remedy::reconnect, ErrorCode::unavailable,
        "the server is busy with a script; SCRIPT KILL or FUNCTION KILL ends it"},
    Row{"OOM", Remedy::fail, ErrorCode::out_of_memory,
        "the server is at maxmemory; give it more, with maxmemory-policy noeviction (deletes still work)"},
    Row{"NOPERM", Remedy::fail, ErrorCode::permission, "give the user the ACL rules in docs/operations.md"},
    Row{"NOAUTH", Remedy::fail, ErrorCode::auth, "the server wants a password; set connection.password"},
    Row{"WRONGPASS", Remedy::fail, ErrorCode::auth, "wrong user name or password, or the user is disabled"},
    Row{"NOREPLICAS", Remedy::fail, ErrorCode::server, "too few replicas are in touch (min-replicas-to-write)"},
    Row{"MISCONF", Remedy::fail, ErrorCode::server,
        "the server cannot persist and refuses writes; check its disk and log"},
    Row{"MOVED", Remedy::follow, ErrorCode::unsupported_server, follow_advice},
    Row{"ASK", Remedy::follow, ErrorCode::unsupported_server, follow_advice},
    Row{"WRONGTYPE", Remedy::fail, ErrorCode::server,
        "a key with Obol's prefix holds something else; choose another key_prefix"},
};

bool is_unknown_function(const Reply& error) { return error.text.starts_with("ERR Function not found"); }

const Row* row_of(const Reply& error) {
  const auto* row = std::ranges::find(rows, error.error_word(), &Row::word);
  return row == rows.end() ? nullptr : row;
}

// Only the first word of a server's text is passed on where the rest could repeat an argument, which may be a secret.
std::string quoted(const Reply& error) { return std::string(error.error_word().substr(0, 32)); }

Error make(ErrorCode code, const Reply& error, std::string_view advice) {
  return {code, fmt::format("the server said {}: {}", quoted(error), advice)};
}

}  // namespace

Remedy remedy_for(const Reply& error) {
  if (is_unknown_function(error)) return Remedy::load_functions;
  if (error.text.starts_with("ERR max number of clients")) return Remedy::reconnect;
  const Row* row = row_of(error);
  return row == nullptr ? Remedy::fail : row->remedy;
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

Error error_of(const Reply& error) {
  if (const Row* row = row_of(error)) return make(row->code, error, row->advice);
  if (error.text.starts_with("ERR ACL failure in script")) {
    return make(ErrorCode::permission, error,
                "the user lacks a command the functions use; give it the ACL rules in docs/operations.md");
  }
  if (is_unknown_function(error)) {
    return make(
        ErrorCode::unsupported_server, error,
        "Obol's function library is not loaded; load it with a user that may (FunctionLoading::load_at_connect)");
  }
  if (error.text.starts_with("ERR max number of clients")) {
    return make(ErrorCode::unavailable, error, "the server is at maxclients; raise it or lower pool.size");
  }
  return make(ErrorCode::server, error, "an error Obol does not know; the server's log may say more");
}

Error error_of_introduction(const Reply& error) {
  if (error.text.starts_with("ERR unknown command") || error.error_word() == "NOPROTO") {
    return make(ErrorCode::unsupported_server, error,
                "it does not know HELLO 3; Obol needs Redis 8.0 or newer, or Valkey 9.0 or newer");
  }
  return error_of(error);
}

Error error_of_select(const Reply& error, std::uint32_t database) {
  if (error.error_word() == "NOPERM") return error_of(error);
  return {ErrorCode::invalid_argument,
          fmt::format("the server has no database {}; choose one below its 'databases' setting", database)};
}

}  // namespace obol::inline v0::redis
