// Who we are to a server: a user's name and password, or a function that gives them.
#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "obol/error.hpp"

namespace obol::inline v0 {

/// A user's name and password. If both are empty, no AUTH is sent. A name with an empty password is a user who needs
/// none (ACL `nopass`).
struct UserCredentials {
  std::string username{};  ///< ACL user; empty: "default".
  std::string password{};  ///< A secret; of a cloud identity its token.

  /// How long they are good for from now on; 0: until they are replaced. Once three quarters of that time are over, the
  /// provider is asked again, and living connections authenticate with what it gives.
  std::chrono::milliseconds valid_for{0};

  /// Equal in every member.
  bool operator==(const UserCredentials&) const = default;
};

/// A function that gives the credentials for a connection, from a secrets manager or a cloud's identity service. It is
/// called for each connection that is opened, from whichever thread opens it, and never while the store holds a lock.
/// It must be thread-safe. The call that needs the connection waits for it, so it should answer out of its own memory
/// and fetch new tokens ahead of time. An error that it returns, or an exception that leaves it, fails that connection
/// with `auth`; the message of the error is passed on, that of an exception is not, since it may hold a secret.
class CredentialsProvider {
 public:
  using Function = std::function<Result<UserCredentials>()>;  ///< What it is made of.

  /// None: the fixed credentials are used.
  CredentialsProvider() = default;

  /// Of any function; an empty std::function makes none.
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, CredentialsProvider> && std::constructible_from<Function, F>)
  CredentialsProvider(F&& function) {
    if (Function whole(std::forward<F>(function)); whole)
      function_ = std::make_shared<const Function>(std::move(whole));
  }

  /// True if there is one.
  explicit operator bool() const { return function_ != nullptr; }

  /// Calls it; there must be one.
  Result<UserCredentials> operator()() const { return (*function_)(); }

  /// Functions cannot be compared: equal are copies of one provider, and two that are none.
  bool operator==(const CredentialsProvider&) const = default;

 private:
  std::shared_ptr<const Function> function_{};
};

}  // namespace obol::inline v0
