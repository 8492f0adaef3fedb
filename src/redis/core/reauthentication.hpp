// When a living connection authenticates again, with what, and how long it waits after a refusal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "obol/user_credentials.hpp"
#include "redis/core/deadline.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Counts the changes of a client's current credentials.
using CredentialsGeneration = std::uint64_t;

/// Of no generation: to be replaced by whatever is current.
constexpr CredentialsGeneration outdated_credentials = 0;

struct CurrentCredentials {
  UserCredentials credentials;
  CredentialsGeneration generation;
};

/// Pauses between attempts: after the first refusal, and after many.
constexpr std::chrono::milliseconds least_pause_after_refusal{1500};
constexpr std::chrono::milliseconds most_pause_after_refusal{60'000};

/// Of one connection. If the server refuses, the connection stays who it was and tries again after a pause.
class Reauthentication {
 public:
  using Time = Deadline::Time::time_point;

  /// The connection has authenticated with credentials of that generation.
  void begin(CredentialsGeneration generation) { authenticated_ = generation; }

  /// True if it has not authenticated with the current generation, no answer to AUTH is awaited, and no refusal is too
  /// recent.
  bool is_due(CredentialsGeneration current, Time now) const {
    return current != authenticated_ && !awaits_reply_ && now >= not_before_;
  }

  /// AUTH, encoded, for when it is due; empty if the credentials stand for nobody. Its reply must be given to
  /// take_reply().
  std::string command(const CurrentCredentials& current, Time now);

  bool awaits_reply() const { return awaits_reply_; }
  void take_reply(const Reply& reply);

 private:
  CredentialsGeneration authenticated_ = outdated_credentials;
  CredentialsGeneration authenticating_ = outdated_credentials;
  Time not_before_{};
  std::chrono::milliseconds pause_after_refusal_ = least_pause_after_refusal;
  bool awaits_reply_ = false;
};

}}}  // namespace obol::v0::redis
