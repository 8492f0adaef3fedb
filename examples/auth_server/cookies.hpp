// Names, attributes and lifetimes of this server's cookies.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace example::auth_server {

enum class Cookie {
  access,   ///< The access token.
  refresh,  ///< The refresh token.
  form,     ///< Ties a form to the browser it was sent to, before there is a session.
  device,   ///< Proves that somebody logged in to an account from this browser: see LoginThrottle.
};

/// True if this can be the value of Cookie::form: 22 characters of base64url. Only such a value is sent back.
bool is_form_secret(std::string_view text);

/// All are HttpOnly and SameSite=Lax. Over TLS they are Secure and named __Host-..., so that neither another host of
/// the domain nor an unencrypted answer can plant one.
class Cookies {
 public:
  explicit Cookies(bool is_over_tls) : is_over_tls_(is_over_tls) {}

  /// The cookie's value in these Cookie headers. Empty if it is absent, if there is more than one (the right one is
  /// unknown then), or if it is not base64url, as all values of this server are: some HTTP libraries decode %0d%0a in
  /// headers.
  std::string read(const std::vector<std::string>& headers, Cookie cookie) const;

  /// Values for Set-Cookie headers.
  std::string set(Cookie cookie, std::string_view value, std::chrono::seconds lifetime) const;
  std::string remove(Cookie cookie) const { return set(cookie, "", std::chrono::seconds(0)); }

 private:
  std::string name(Cookie cookie) const;
  bool is_over_tls_;
};

}  // namespace example::auth_server
