// What is done about an attempt that brought no good reply: one table for error replies and for lost connections.
#pragma once

#include <string_view>
#include <utility>

#include "obol/error.hpp"
#include "redis/core/error_kind.hpp"
#include "redis/core/retry_budget.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// The error of a step that comes before a command is sent. `timeout` says that the command may have reached the
/// server, so it becomes `unavailable`.
inline Error not_sent(Error error) {
  if (error.code == ErrorCode::timeout) error.code = ErrorCode::unavailable;
  return error;
}

/// `unavailable`: of a call whose deadline passes before its command is sent.
Error too_late_to_send() noexcept;

/// What a call may do to get its reply.
struct CallRules {
  bool follows_redirects = false;  ///< Keys may be on different nodes.
  bool loads_functions = false;    ///< It may load the functions into a server that lacks them.
};

struct Verdict {
  /// What comes next.
  enum class Next {
    stop,            ///< The caller is told the error.
    immediately,     ///< Repeat the call.
    after_pause,     ///< Repeat it after a pause.
    redirect,        ///< Repeat it where the server says: redirect_of.
    load_functions,  ///< Load the functions, then repeat the call.
    load_scripts,    ///< Load them as scripts, and call them as such from now on.
  };

  /// Connections to the same server that must not be used again.
  enum class Drops {
    none,
    one,  ///< The one that was used.
    all,  ///< It and all that were opened before it was lost.
  };

  Next next = Next::stop;
  Drops drops = Drops::none;
  bool suspects_node = false;   ///< Perhaps another server has taken the node's place.
  bool charges_budget = false;  ///< If the retry budget is used up, the call stops and suspects nobody.

  bool operator==(const Verdict&) const = default;
};

/// Of an error reply. `command`: the name of what was sent, see remedy_for.
Verdict verdict_for(const Reply& refusal, CallRules rules, std::string_view command = {});

/// Of a connection that failed after a command was given to it.
Verdict verdict_for(const Error& loss);

/// Of a command that was not sent. A node that has left the cluster sends the calls away that wait there.
Verdict verdict_for_unsent(const Error& error, bool node_has_left);

/// True if the call goes on. Charges the budget if the verdict does: once for a lost connection, however many calls
/// were on it.
inline bool goes_on(const Verdict& verdict, RetryBudget& budget) {
  return verdict.next != Verdict::Next::stop && (!verdict.charges_budget || budget.spend());
}

/// Whether a command may be sent together with others.
enum class Sharing { allowed, alone };

/// Why a command has no reply.
struct CallFailure {
  Error error;
  bool came_from_server = false;  ///< The command may have been sent; else there was no connection to send it on.
  bool may_repeat = false;        ///< Another attempt can do better, and the retry budget allows it.
  bool may_have_acted = false;    ///< The command was sent before, and no reply was taken.
};

/// That of a call whose connection was lost; charges the budget.
inline CallFailure lost(Error error, RetryBudget& budget) {
  const bool may_repeat = goes_on(verdict_for(error), budget);
  return {.error = std::move(error), .came_from_server = true, .may_repeat = may_repeat};
}

}}}  // namespace obol::v0::redis
