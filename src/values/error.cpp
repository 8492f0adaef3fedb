// The error category "obol": the name of each code, what it means, and where its page is.
#include "obol/error.hpp"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <new>
#include <string>
#include <string_view>

namespace obol { inline namespace v0 {
namespace {

struct Meaning {
  std::string_view code;  ///< As the enumerator is called, and its page under docs/errors/.
  std::string_view text;
};

Meaning meaning(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::conflict:
      return {"conflict", "another writer was first"};
    case ErrorCode::gone:
      return {"gone", "the session is no longer stored"};
    case ErrorCode::expired:
      return {"expired", "the session has expired"};
    case ErrorCode::invalid_argument:
      return {"invalid_argument", "an argument or option is not allowed"};
    case ErrorCode::too_large:
      return {"too_large", "over the size limit"};
    case ErrorCode::invalid_token:
      return {"invalid_token", "the session token was not issued by this keyring"};
    case ErrorCode::pool_timeout:
      return {"pool_timeout", "no connection became free in time"};
    case ErrorCode::timeout:
      return {"timeout", "the server did not answer in time"};
    case ErrorCode::unavailable:
      return {"unavailable", "the server cannot be reached or is temporarily unable to serve"};
    case ErrorCode::auth:
      return {"auth", "the server refused the user name or the password"};
    case ErrorCode::permission:
      return {"permission", "the server's ACL forbids it"};
    case ErrorCode::out_of_memory:
      return {"out_of_memory", "the server is out of memory"};
    case ErrorCode::unsupported_server:
      return {"unsupported_server", "the server cannot run Obol"};
    case ErrorCode::server:
      return {"server", "the server answered with an error"};
    case ErrorCode::protocol:
      return {"protocol", "this version does not understand a reply or stored session"};
    case ErrorCode::closed:
      return {"closed", "the store is closed"};
    case ErrorCode::tls:
      return {"tls", "TLS cannot be set up or was rejected"};
    case ErrorCode::too_many_sessions:
      return {"too_many_sessions", "the user has too many sessions"};
    case ErrorCode::revoked:
      return {"revoked", "the session began before its user's other logins were revoked"};
    case ErrorCode::internal:
      return {"internal", "OpenSSL or the operating system refused a basic operation"};
    case ErrorCode::cancelled:
      return {"cancelled", "the caller cancelled the call"};
  }
  return {};
}

class ObolCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "obol"; }
  std::string message(int value) const override {
    const auto [code, text] = meaning(static_cast<ErrorCode>(value));
    if (code.empty()) return "unknown error";
    return fmt::format("{}: {}; see docs/errors/{}.md", code, text, code);
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  // Never destroyed: errors may be made until the process is gone.
  alignas(ObolCategory) static std::array<std::byte, sizeof(ObolCategory)> place;
  static const auto& category = *::new (place.data()) ObolCategory;
  return category;
}

std::string_view to_string(ErrorCode code) noexcept {
  const auto name = meaning(code).code;
  return name.empty() ? "other" : name;
}

std::error_code make_error_code(ErrorCode code) noexcept { return {static_cast<int>(code), error_category()}; }

}}  // namespace obol::v0
