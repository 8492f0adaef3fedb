// Reads OpenSSL's queue of errors and looks its codes up.
#include "redis/net/tls_errors.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/openssl_use.hpp"
#include "redis/net/socket.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

std::string reason_of(unsigned long code) {
  if (ERR_SYSTEM_ERROR(code)) return std::system_category().message(ERR_GET_REASON(code));
  const OpensslUse use;
  const char* reason = ::ERR_reason_error_string(code);
  return reason == nullptr ? "no reason given" : reason;
}

/// Alerts by which a peer says that it does not accept our certificate or our terms (RFC 8446, section 6.2).
bool is_refusal_by_peer(unsigned long code) {
  constexpr std::array refusals{
      SSL_AD_HANDSHAKE_FAILURE,   SSL_AD_BAD_CERTIFICATE,       SSL_AD_UNSUPPORTED_CERTIFICATE,
      SSL_AD_CERTIFICATE_REVOKED, SSL_AD_CERTIFICATE_EXPIRED,   SSL_AD_CERTIFICATE_UNKNOWN,
      SSL_AD_UNKNOWN_CA,          SSL_AD_DECRYPT_ERROR,         SSL_AD_ACCESS_DENIED,
      SSL_AD_PROTOCOL_VERSION,    SSL_AD_INSUFFICIENT_SECURITY, SSL_AD_UNRECOGNIZED_NAME};
  return std::ranges::find(refusals, ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET) != refusals.end();
}

/// What the caller can do about a certificate that was rejected with this verdict.
std::string_view cure_of(long verify_result) {
  switch (verify_result) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "connect to a name that it contains, or set connection.tls.server_name to one";
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "renew it, or correct this machine's clock";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "set connection.tls.ca_file to the certificate of the authority that issued it";
    default:
      return "check its name and expiry, and connection.tls.ca_file";
  }
}

}  // namespace

// Of a file that cannot be read, the last error says "system lib" and the first one which error of the system that was.
unsigned long take_openssl_error() {
  const OpensslUse use;
  const unsigned long first = ::ERR_peek_error();
  const unsigned long last = ::ERR_peek_last_error();
  ::ERR_clear_error();
  return ERR_GET_REASON(last) == ERR_R_SYS_LIB && ERR_SYSTEM_ERROR(first) ? first : last;
}

Error tls_setup_error(std::string_view what, unsigned long code) {
  return {ErrorCode::tls, fmt::format("{}: {}", what, reason_of(code))};
}

Error tls_error(unsigned long code, TlsPhase phase) {
  if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return closed_by_server().error();
  auto message = "TLS failed: " + reason_of(code);
  if (ERR_GET_REASON(code) == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED) {
    return {ErrorCode::tls, message + "; set connection.tls.certificate_file and private_key_file"};
  }
  if (is_refusal_by_peer(code)) {
    return {ErrorCode::tls, message + "; the server rejected our certificate or TLS version"};
  }
  // A peer that speaks no TLS, or a broken one, does not get better by itself.
  if (phase == TlsPhase::handshake) return {ErrorCode::tls, message + "; does this port speak TLS 1.2 or newer?"};
  return {ErrorCode::unavailable, std::move(message)};
}

Error tls_handshake_error(Error error, long verify_result) {
  if (verify_result != X509_V_OK) {
    return {ErrorCode::tls, fmt::format("the server's certificate was rejected: {}; {}",
                                        ::X509_verify_cert_error_string(verify_result), cure_of(verify_result))};
  }
  if (error.code == ErrorCode::timeout) error.message = "the TLS handshake timed out; does this port speak TLS?";
  return error;
}

}}}  // namespace obol::v0::redis
