// Host names to addresses, in a thread of its own: getaddrinfo(3) knows no deadline.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/fork_registration.hpp"
#include "obol/error.hpp"
#include "redis/core/deadline.hpp"

namespace obol { inline namespace v0 { namespace redis {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  bool is_loopback() const;
};

/// Thread-safe. Asks anew each time; only callers at the same time share an answer, so a resolver that hangs costs one
/// thread, however many callers come and give up.
class Resolver {
 public:
  Resolver(std::string host, std::uint16_t port);

  /// Every address, in the system's order; never empty. `unavailable` or `timeout`.
  Result<std::vector<Address>> resolve(Deadline deadline);

 private:
  struct Lookup;
  std::shared_ptr<Lookup> join_or_start();

  const std::string host_;
  const std::string port_;
  std::mutex mutex_;
  std::shared_ptr<Lookup> running_;
  ForkRegistration fork_registration_;
};

}}}  // namespace obol::v0::redis
