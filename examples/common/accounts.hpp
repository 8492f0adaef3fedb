// Sign-up and password checks, for the routes of either server: limits first, then the hash that costs most.
#pragma once

#include <chrono>
#include <expected>
#include <string>

#include "login_throttle.hpp"
#include "passwords.hpp"
#include "users.hpp"

namespace example {

/// Why an account was not made, changed or admitted.
struct Refusal {
  int status = 0;                       ///< Of HTTP.
  std::string text{};                   ///< For the user.
  std::chrono::seconds retry_after{0};  ///< 0: trying again does not help.
};

/// Thread-safe.
struct Accounts {
  /// A new account. `network` is where the request came from.
  std::expected<User, Refusal> sign_up(const std::string& name, const std::string& password,
                                       const std::string& network);

  /// Verifies a password. A user that does not exist costs the same time and gives the same answer.
  std::expected<void, Refusal> verify(const std::optional<User>& user, const std::string& password,
                                      const Attempt& attempt);

  /// Replaces the password, and returns the new hash. `session_id` counts the attempts: a thief with a stolen session
  /// must not be able to try passwords.
  std::expected<std::string, Refusal> change_password(const User& user, const std::string& password,
                                                      const std::string& new_password, const std::string& session_id);

  Users users{};
  PasswordHasher passwords{};
  LoginThrottle throttle{};
};

/// A typed name may have any size; the key of its counter must not.
std::string account_of(const std::string& name);

}  // namespace example
