// Compares the generation of the connection's credentials with that of the source.
#include "redis/connection/reauthentication.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "redis/protocol/command.hpp"

namespace obol { inline namespace v0 { namespace redis {

void Reauthentication::follow(std::shared_ptr<CredentialsSource> source, CredentialsSource::Generation generation) {
  source_ = std::move(source);
  authenticated_ = generation;
}

void Reauthentication::renew_source(Time now) {
  if (source_) source_->renew_if_due(now);
}

std::string Reauthentication::command_if_due(Time now) {
  if (!source_ || source_->generation() == authenticated_ || now < not_before_) return {};
  const auto current = source_->current();
  if (!sends_authentication(current.credentials)) {
    authenticated_ = current.generation;
    return {};
  }
  const Command command{"AUTH", user_of(current.credentials), current.credentials.password};
  not_before_ = now + pause_after_refusal_;
  authenticating_ = current.generation;
  awaits_reply_ = true;
  return std::string(command.bytes());
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
