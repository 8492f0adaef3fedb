// The cookies this server sets and reads: their names, attributes and lifetimes.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace auth_server {

enum class Cookie {
  access,   ///< The access token.
  refresh,  ///< The refresh token.
  form,     ///< Ties a form to the browser it was sent to, before there is a session.
  device,   ///< Proves that somebody logged in to an account from this browser: see LoginThrottle.
};

/// All are HttpOnly and SameSite=Lax. Over TLS they are Secure and named __Host-..., so that neither another host of
/// the domain nor an unencrypted answer can plant one.
class Cookies {
 public:
  explicit Cookies(bool is_over_tls) : is_over_tls_(is_over_tls) {}

  /// The cookie's value in these Cookie headers; empty where it is absent or there is more than one, since then it is
  /// not known which is ours.
  std::string read(const std::vector<std::string>& headers, Cookie cookie) const;

  /// Values of Set-Cookie headers.
  std::string set(Cookie cookie, std::string_view value, std::chrono::seconds lifetime) const;
  std::string remove(Cookie cookie) const { return set(cookie, "", std::chrono::seconds(0)); }

 private:
  std::string name(Cookie cookie) const;
  bool is_over_tls_;
};

}  // namespace auth_server
