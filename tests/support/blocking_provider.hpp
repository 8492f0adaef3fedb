// A provider of credentials that can be made to block for as long as a test wants.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "obol/connection_options.hpp"
#include "obol/user_credentials.hpp"

namespace obol::testing {

/// Thread-safe. Gives the credentials of a server's default user that has no password.
class BlockingProvider {
 public:
  ConnectionOptions in(ConnectionOptions options) const {
    options.credentials = CredentialsProvider([state = state_]() -> Result<UserCredentials> {
      ++state->asked;
      while (state->is_blocked) state->is_blocked.wait(true);
      return UserCredentials{.valid_for = state->valid_for};
    });
    return options;
  }

  void block() { state_->is_blocked = true; }
  void release() {
    state_->is_blocked = false;
    state_->is_blocked.notify_all();
  }
  int asked() const { return state_->asked; }
  void limit_credentials_to(std::chrono::milliseconds time) { state_->valid_for = time; }

 private:
  struct State {
    std::atomic<std::chrono::milliseconds> valid_for{};
    std::atomic<bool> is_blocked = false;
    std::atomic<int> asked = 0;
  };

  // A thread that opens a connection may ask when the test is over.
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace obol::testing
