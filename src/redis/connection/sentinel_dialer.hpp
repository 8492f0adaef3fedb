// Opens connections to the primary that Redis Sentinel names.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/fork_registration.hpp"
#include "obol/connection_options.hpp"
#include "obol/error.hpp"
#include "redis/connection/connection_source.hpp"
#include "redis/connection/dialer.hpp"
#include "redis/core/deadline.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Which server is the primary, and what a sentinel's reply says: nothing where it knows none of that name.
/// Source: https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/#sentinel-api
Command primary_question(const std::string& primary_name);
Result<std::optional<ServerAddress>> primary_answer(const Reply& reply);

/// Asks anew for each connection, one sentinel after the other until one answers, and looks at the role of the server
/// it names. The sentinel that answered is asked first the next time, unless its word was of no use.
class SentinelDialer final : public ConnectionSource {
 public:
  /// The credentials are the primary's and the sentinels'.
  SentinelDialer(const ConnectionOptions& options, std::size_t max_reply_bytes,
                 std::shared_ptr<CredentialsSource> credentials,
                 const std::shared_ptr<CredentialsSource>& sentinel_credentials);

  Result<Connection> dial(Deadline deadline) override;
  std::string endpoint() const override;

 private:
  using Sentinel = std::shared_ptr<Dialer>;
  struct Named {
    ServerAddress primary;
    Sentinel by;
  };
  Result<Named> find_primary(Deadline deadline);
  Result<std::optional<ServerAddress>> ask(Dialer& sentinel, Deadline deadline) const;
  Sentinel dialer_to(const ServerAddress& primary);
  std::vector<Sentinel> sentinels() const;
  void ask_first(const Sentinel& sentinel);
  void ask_last(const Sentinel& sentinel);

  const ConnectionOptions options_;
  const std::size_t max_reply_bytes_;
  const std::shared_ptr<CredentialsSource> credentials_;
  mutable std::mutex mutex_;
  std::vector<Sentinel> sentinels_;  ///< In the order in which they are asked.
  ServerAddress named_;              ///< The one named last,
  std::shared_ptr<Dialer> primary_;  ///< and the way to it; null at first.
  ForkRegistration fork_registration_;
};

}}}  // namespace obol::v0::redis
