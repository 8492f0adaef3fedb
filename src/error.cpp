// The error category "obol" and the one-line meaning of each code.
#include "obol/error.hpp"

namespace obol::inline v0 {
namespace {

const char* meaning(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::conflict:
      return "another writer was first";
    case ErrorCode::gone:
      return "the session is no longer stored";
    case ErrorCode::expired:
      return "the session has expired";
    case ErrorCode::invalid_argument:
      return "an argument is outside what is allowed";
    case ErrorCode::too_large:
      return "over the size limit";
    case ErrorCode::invalid_token:
      return "the session token was not issued by this keyring";
    case ErrorCode::pool_timeout:
      return "no connection came free in time";
    case ErrorCode::timeout:
      return "the server did not answer in time";
    case ErrorCode::unavailable:
      return "the server cannot be reached or cannot serve for now";
    case ErrorCode::auth:
      return "the server refused the user name or the password";
    case ErrorCode::permission:
      return "the server's ACL forbids it";
    case ErrorCode::out_of_memory:
      return "the server is out of memory";
    case ErrorCode::unsupported_server:
      return "the server cannot run Obol";
    case ErrorCode::server:
      return "the server answered with an error";
    case ErrorCode::protocol:
      return "a reply or stored session that this version does not understand";
    case ErrorCode::closed:
      return "the store is closed";
    case ErrorCode::tls:
      return "TLS cannot be set up or is not accepted";
    case ErrorCode::too_many_sessions:
      return "the user has too many sessions";
    case ErrorCode::revoked:
      return "the session was begun before its user was logged out everywhere";
    case ErrorCode::internal:
      return "OpenSSL or the operating system refused a basic service";
  }
  return "unknown error";
}

class ObolCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "obol"; }
  std::string message(int value) const override { return meaning(static_cast<ErrorCode>(value)); }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const ObolCategory category;
  return category;
}

std::error_code make_error_code(ErrorCode code) noexcept { return {static_cast<int>(code), error_category()}; }

}  // namespace obol::inline v0
