// Bearer tokens in the Authorization header (RFC 6750). Knows nothing of HTTP servers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace example::api_server {

/// What a request's Authorization headers hold.
struct Bearer {
  enum class Found : std::uint8_t { token, nothing, malformed };
  Found found = Found::nothing;
  std::string_view token{};
};

/// Reads the headers. Credentials of another scheme count as nothing; more than one header is malformed.
Bearer read_bearer(const std::vector<std::string>& headers);

/// The value of WWW-Authenticate for a refused request. Without an error the request had no token (section 3.1).
std::string challenge(std::string_view error = {}, std::string_view description = {});

}  // namespace example::api_server
