// A provider of credentials that can be made to block for as long as a test wants.
#pragma once

#include <atomic>
#include <chrono>

#include "obol/connection_options.hpp"
#include "obol/user_credentials.hpp"

namespace obol::testing {

/// Thread-safe. Gives the credentials of a server's default user that has no password.
class BlockingProvider {
 public:
  /// With this one, which must outlive all connections.
  ConnectionOptions in(ConnectionOptions options) {
    options.credentials = CredentialsProvider([this]() -> Result<UserCredentials> {
      ++asked_;
      while (is_blocked_) is_blocked_.wait(true);
      return UserCredentials{.valid_for = valid_for};
    });
    return options;
  }

  void block() { is_blocked_ = true; }
  void release() {
    is_blocked_ = false;
    is_blocked_.notify_all();
  }
  int asked() const { return asked_; }

  std::atomic<std::chrono::milliseconds> valid_for{};

 private:
  std::atomic<bool> is_blocked_ = false;
  std::atomic<int> asked_ = 0;
};

}  // namespace obol::testing
