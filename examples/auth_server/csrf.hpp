// Checks that a form came from this server's page: by a token that only this browser's pages have, and by headers.
#pragma once

#include <string>
#include <string_view>

namespace example::auth_server {

/// The secret for a form, masked with fresh random bytes each time. So the compressed length of a page reveals nothing
/// about the secret (BREACH).
std::string mask_secret(std::string_view secret);

/// True if a form carries this secret. Compares in constant time; false for an empty secret.
bool proves_secret(std::string_view masked, std::string_view secret);

/// Headers in which a browser tells the origin of a request; empty if it does not.
struct RequestOrigin {
  std::string origin{};          ///< The Origin header.
  std::string sec_fetch_site{};  ///< The Sec-Fetch-Site header.
  std::string host{};            ///< The Host header: the server that the browser means.
};

/// True if it comes from a page of this server. Browsers send Origin with each POST, so a POST without it is refused.
bool is_from_own_page(const RequestOrigin& request, bool is_over_tls);

}  // namespace example::auth_server
