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

namespace obol { inline namespace v0 { namespace redis {

/// Asks sentinels anew for each connection (PrimarySearch), and checks the role of the server they name.
class SentinelDialer final : public ConnectionSource {
 public:
  /// The credentials are the primary's and the sentinels'.
  SentinelDialer(const ConnectionOptions& options, std::size_t max_reply_bytes,
                 std::shared_ptr<CredentialsSource> credentials,
                 const std::shared_ptr<CredentialsSource>& sentinel_credentials);

  Result<Connection> dial(Deadline deadline) override;
  std::string endpoint() const override;

 private:
  Result<std::optional<ServerAddress>> ask(Dialer& sentinel, Deadline deadline) const;
  std::shared_ptr<Dialer> dialer_to(const ServerAddress& primary);
  std::size_t first() const;
  void ask_first(std::size_t sentinel);

  const ConnectionOptions options_;
  const std::size_t max_reply_bytes_;
  const std::shared_ptr<CredentialsSource> credentials_;
  std::vector<std::shared_ptr<Dialer>> sentinels_;  ///< In the order of the options; constant.
  mutable std::mutex mutex_;
  std::size_t first_ = 0;            ///< The sentinel that is asked first.
  ServerAddress named_;              ///< The one named last,
  std::shared_ptr<Dialer> primary_;  ///< and the way to it; null at first.
  ForkRegistration fork_registration_;
};

}}}  // namespace obol::v0::redis
