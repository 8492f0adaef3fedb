// Credentials for a server: a user's name and password, or a function that returns them.
#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "obol/error.hpp"

namespace obol { inline namespace v0 {

/// A user's name and password. If both are empty, no AUTH is sent. A name with an empty password is a user that needs
/// no password (ACL `nopass`).
struct UserCredentials {
  std::string username{};  ///< ACL user; empty means "default".
  std::string password{};  ///< Secret. For a cloud identity, its token.

  /// How long they are valid from now on; 0: until they are replaced. After three quarters of that time the provider is
  /// called again, and open connections authenticate with the result.
  std::chrono::milliseconds valid_for{0};

  /// True if all members are equal.
  bool operator==(const UserCredentials&) const = default;
};

/// A function that returns the credentials for a connection, from a secrets manager or a cloud's identity service. It
/// is called for each connection that is opened, on the thread that opens it, and never while the store holds a lock.
/// It must be thread-safe. The call that needs the connection waits for it, so it should answer from memory and fetch
/// new tokens ahead of time. If it returns an error or throws, that connection fails with `auth`. The message of a
/// returned error is passed on; that of an exception is not, since it may contain a secret.
class CredentialsProvider {
  /// Type of the wrapped function.
 public:
  using Function = std::function<Result<UserCredentials>()>;

  /// No provider: the fixed credentials are used.
  CredentialsProvider() = default;

  /// Wraps any function; an empty std::function makes no provider.
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, CredentialsProvider> && std::constructible_from<Function, F>)
  CredentialsProvider(F&& function) {
    if (Function whole(std::forward<F>(function)); whole)
      function_ = std::make_shared<const Function>(std::move(whole));
  }

  /// Returns whether there is a provider.
  explicit operator bool() const { return function_ != nullptr; }

  /// Calls the function. Requires that there is one.
  Result<UserCredentials> operator()() const { return (*function_)(); }

  /// Functions cannot be compared: two providers are equal if one is a copy of the other, or if both are empty.
  bool operator==(const CredentialsProvider&) const = default;

 private:
  std::shared_ptr<const Function> function_{};
};

}}  // namespace obol::v0
