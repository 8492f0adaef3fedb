#include "redis/core/verdict.hpp"

#include "redis/protocol/reply_error.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {

using Next = Verdict::Next;
using Drops = Verdict::Drops;

Error too_late_to_send() noexcept {
  return error_from(ErrorCode::unavailable, [] {
    return Error{
        ErrorCode::unavailable,
        "the deadline passed before the command could be sent; raise timeouts.total or the call's own timeout, "
        "or look for what keeps the servers busy"};
  });
}

Verdict verdict_for(const Reply& refusal, CallRules rules, std::string_view command) {
  switch (remedy_for(refusal, command)) {
    case Remedy::fail:
      break;
    case Remedy::reconnect:
      return {.next = Next::after_pause, .drops = Drops::all, .suspects_node = true, .charges_budget = true};
    case Remedy::wait:
      return {.next = Next::after_pause, .suspects_node = true};
    case Remedy::follow:
      return {.next = rules.follows_redirects && redirect_of(refusal) ? Next::redirect : Next::stop};
    case Remedy::load_functions:
      return {.next = rules.loads_functions ? Next::load_functions : Next::stop};
    case Remedy::load_scripts:
      return {.next = rules.loads_functions ? Next::load_scripts : Next::stop};
  }
  return {};
}

Verdict verdict_for(const Error& loss) {
  if (is_of_one_call(loss)) return {.drops = Drops::one};
  if (!is_transient(loss)) return {.drops = Drops::all};
  return {.next = Next::after_pause, .drops = Drops::all, .suspects_node = true, .charges_budget = true};
}

Verdict verdict_for_unsent(const Error& error, bool node_has_left) {
  return {.next = error.code == ErrorCode::closed && node_has_left ? Next::immediately : Next::stop};
}

}}}  // namespace obol::v0::redis
