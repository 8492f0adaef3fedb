// When a living connection authenticates again, with what, and how long it waits after a refusal.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "redis/connection/credentials_source.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Pauses between attempts: after the first refusal, and after many.
constexpr std::chrono::milliseconds least_pause_after_refusal{1500};
constexpr std::chrono::milliseconds most_pause_after_refusal{60'000};

/// Of one connection. If the server refuses, the connection stays who it was and tries again after a pause.
class Reauthentication {
 public:
  using Time = CredentialsSource::Time;

  /// From now on it follows this source. `generation`: of the credentials that the connection has authenticated with.
  void follow(std::shared_ptr<CredentialsSource> source, CredentialsSource::Generation generation);

  /// Lets the source ask for new credentials, if it is time to. For a connection whose user makes no calls that do so.
  void renew_source(Time now);

  /// AUTH, encoded, if the source has newer credentials and no refusal is too recent; else empty. Its reply must be
  /// given to take_reply().
  std::string command_if_due(Time now);

  bool awaits_reply() const { return awaits_reply_; }
  void take_reply(const Reply& reply);

 private:
  std::shared_ptr<CredentialsSource> source_;
  CredentialsSource::Generation authenticated_ = CredentialsSource::outdated;
  CredentialsSource::Generation authenticating_ = CredentialsSource::outdated;
  Time not_before_{};
  std::chrono::milliseconds pause_after_refusal_ = least_pause_after_refusal;
  bool awaits_reply_ = false;
};

}}}  // namespace obol::v0::redis
