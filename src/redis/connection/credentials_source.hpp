// The credentials of a client towards its servers: fixed, out of a file, or a provider's; they may change while it
// lives.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/fork_registration.hpp"
#include "obol/connection_options.hpp"
#include "obol/error.hpp"
#include "obol/user_credentials.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/reauthentication.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Thread-safe. Each connection asks for credentials of its own when it is opened. What a server has taken, or what
/// `replace` was given, is current from then on; each change of that begins a generation, and connections of an earlier
/// one authenticate again.
class CredentialsSource {
 public:
  using Time = Deadline::Time::time_point;
  using Generation = CredentialsGeneration;

  /// Of no generation: to be replaced by whatever is current.
  static constexpr Generation outdated = outdated_credentials;

  struct Asked {
    UserCredentials credentials;
    std::uint64_t number;  ///< Counts askings, so that an old answer does not undo a newer one.
  };

  explicit CredentialsSource(const ConnectionOptions& options);
  explicit CredentialsSource(const SentinelOptions& options);

  /// For a new connection. Calls the provider or reads the file. `auth` if that fails.
  Result<Asked> ask();

  /// The server has taken them. Returns the generation of the connection that was opened with them.
  Generation adopt(const Asked& asked);

  /// From now on these, in place of the fixed ones, the file and the provider.
  void replace(UserCredentials credentials);

  /// Asks the provider again, if the time for that has come; if it fails, again a while later. Cheap if not.
  void renew_if_due(Time now);

  /// True if renew_if_due() would ask the provider, which may block.
  bool is_renewal_due(Time now) const { return now >= due_.load(std::memory_order_relaxed); }

  Generation generation() const { return generation_.load(std::memory_order_acquire); }
  CurrentCredentials current() const;

  /// Where they come from, for messages, such as "connection.password_file /run/secrets/redis".
  std::string origin() const;

 private:
  CredentialsSource(std::string_view options_name, UserCredentials fixed, std::string password_file,
                    CredentialsProvider provider);
  void set_due(const UserCredentials& credentials, Time now);

  const std::string options_name_;
  mutable std::mutex mutex_;
  UserCredentials fixed_;
  std::string password_file_;
  CredentialsProvider provider_;
  bool was_replaced_ = false;
  std::uint64_t asked_ = 0;
  std::uint64_t adopted_ = 0;  ///< Number of the asking that is current.
  std::optional<UserCredentials> current_;
  std::atomic<Generation> generation_{outdated + 1};
  std::atomic<Time> due_{Time::max()};  ///< When the provider is to be asked though no connection is opened.
  ForkRegistration fork_registration_;
};

}}}  // namespace obol::v0::redis
