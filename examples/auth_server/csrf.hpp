// Proof that a form came from our own page: a token that only this browser's pages hold, and the browser's word for it.
#pragma once

#include <string>
#include <string_view>

namespace auth_server {

/// The secret as a form carries it: masked with fresh random bytes each time, so that what compression tells about the
/// length of a page (BREACH) tells nothing about the secret.
std::string mask_secret(std::string_view secret);

/// Whether a form carries this secret. Compares in constant time; false for an empty secret.
bool proves_secret(std::string_view masked, std::string_view secret);

/// What a browser says about where a request comes from; empty where it says nothing.
struct RequestOrigin {
  std::string origin{};          ///< The Origin header.
  std::string sec_fetch_site{};  ///< The Sec-Fetch-Site header.
  std::string host{};            ///< The Host header: whom the browser believes to talk to.
};

/// Whether it comes from a page of ours. Browsers send Origin with each POST, so one without it is refused.
bool is_from_own_page(const RequestOrigin& request, bool is_over_tls);

}  // namespace auth_server
