// Compares the generation of the connection's credentials with the current one.
#include "redis/core/reauthentication.hpp"

#include <algorithm>

#include "redis/protocol/hello.hpp"

namespace obol { inline namespace v0 { namespace redis {

std::string Reauthentication::command(const CurrentCredentials& current, Time now) {
  if (!sends_authentication(current.credentials)) {
    authenticated_ = current.generation;
    return {};
  }
  not_before_ = now + pause_after_refusal_;
  authenticating_ = current.generation;
  awaits_reply_ = true;
  return std::string(authentication(current.credentials).bytes());
}

// A server that refuses leaves the connection authenticated as it was, and what was sent behind AUTH has run.
void Reauthentication::take_reply(const Reply& reply) {
  awaits_reply_ = false;
  if (reply.is_error()) {
    pause_after_refusal_ = std::min(pause_after_refusal_ * 2, most_pause_after_refusal);
    return;
  }
  authenticated_ = authenticating_;
  not_before_ = {};
  pause_after_refusal_ = least_pause_after_refusal;
}

}}}  // namespace obol::v0::redis
