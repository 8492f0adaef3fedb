// The table of TLS errors: which of OpenSSL's codes and verdicts is which error, and what the caller is told to do.
#include "redis/net/tls_errors.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

namespace obol::redis { namespace {

constexpr std::string_view certificate_advice = "; the server rejected our certificate or TLS version";
constexpr std::string_view port_advice = "; does this port speak TLS 1.2 or newer?";

unsigned long ssl_code(int reason) { return ERR_PACK(ERR_LIB_SSL, 0, reason); }

/// OpenSSL's words for a code; the test fails if it has none, so that no test compares nothing.
std::string reason_of(unsigned long code) {
  ::OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, nullptr);
  const char* reason = ::ERR_reason_error_string(code);
  EXPECT_NE(reason, nullptr) << code;
  return reason == nullptr ? "" : reason;
}

void expect_error(const Error& error, ErrorCode code, std::string_view message) {
  EXPECT_EQ(error.code, code) << error.message;
  EXPECT_EQ(error.message, message);
}

TEST(TlsError, IsTlsWheneverThePeerRejectsUs) {
  for (const int reason :
       {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
        SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,
        SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, SSL_R_TLSV1_ALERT_UNKNOWN_CA,
        SSL_R_TLSV1_ALERT_DECRYPT_ERROR, SSL_R_TLSV1_ALERT_ACCESS_DENIED, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
        SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY, SSL_R_TLSV1_UNRECOGNIZED_NAME}) {
    const auto code = ssl_code(reason);
    const auto message = "TLS failed: " + reason_of(code) + std::string(certificate_advice);
    expect_error(tls_error(code, TlsPhase::handshake), ErrorCode::tls, message);
    expect_error(tls_error(code, TlsPhase::transfer), ErrorCode::tls, message);
  }
}

TEST(TlsError, NamesTheOptionsIfThePeerRequiresACertificate) {
  const auto code = ssl_code(SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED);
  const auto message = "TLS failed: " + reason_of(code) + "; set connection.tls.certificate_file and private_key_file";
  expect_error(tls_error(code, TlsPhase::handshake), ErrorCode::tls, message);
  expect_error(tls_error(code, TlsPhase::transfer), ErrorCode::tls, message);
}

TEST(TlsError, OfAnyOtherFailureIsTlsDuringAHandshakeOnly) {
  for (const int reason : {SSL_R_WRONG_VERSION_NUMBER, SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_HTTP_REQUEST,
                           SSL_R_TLSV1_ALERT_INTERNAL_ERROR, SSL_R_SSLV3_ALERT_UNEXPECTED_MESSAGE,
                           SSL_R_SSLV3_ALERT_BAD_RECORD_MAC, SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC}) {
    const auto code = ssl_code(reason);
    const auto message = "TLS failed: " + reason_of(code);
    expect_error(tls_error(code, TlsPhase::handshake), ErrorCode::tls, message + std::string(port_advice));
    expect_error(tls_error(code, TlsPhase::transfer), ErrorCode::unavailable, message);
  }
}

TEST(TlsError, OfAConnectionThatEndedIsUnavailable) {
  for (const auto phase : {TlsPhase::handshake, TlsPhase::transfer}) {
    expect_error(tls_error(ssl_code(SSL_R_UNEXPECTED_EOF_WHILE_READING), phase), ErrorCode::unavailable,
                 "the server closed the connection");
  }
}

TEST(TlsError, SaysSoIfOpensslGivesNoReason) {
  expect_error(tls_error(0, TlsPhase::transfer), ErrorCode::unavailable, "TLS failed: no reason given");
}

TEST(TlsHandshakeError, IsTheRejectedCertificateWhateverEndedTheHandshake) {
  constexpr std::string_view of_name = "connect to a name that it contains, or set connection.tls.server_name to one";
  constexpr std::string_view of_time = "renew it, or correct this machine's clock";
  constexpr std::string_view of_issuer =
      "set connection.tls.ca_file to the certificate of the authority that issued it";
  for (const auto& [verdict, cure] :
       {std::pair(X509_V_ERR_CERT_HAS_EXPIRED, of_time),
        {X509_V_ERR_CERT_NOT_YET_VALID, of_time},
        {X509_V_ERR_HOSTNAME_MISMATCH, of_name},
        {X509_V_ERR_IP_ADDRESS_MISMATCH, of_name},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, of_issuer},
        {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, of_issuer},
        {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, of_issuer},
        {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, of_issuer},
        {X509_V_ERR_CERT_REVOKED, "check its name and expiry, and connection.tls.ca_file"}}) {
    const auto message = std::string("the server's certificate was rejected: ") +
                         ::X509_verify_cert_error_string(verdict) + "; " + std::string(cure);
    for (const auto code : {ErrorCode::tls, ErrorCode::timeout, ErrorCode::unavailable}) {
      expect_error(tls_handshake_error({code, "another"}, verdict), ErrorCode::tls, message);
    }
  }
}

TEST(TlsHandshakeError, OfATimeoutAsksWhetherThePortSpeaksTls) {
  expect_error(tls_handshake_error({ErrorCode::timeout, "the server did not answer in time"}, X509_V_OK),
               ErrorCode::timeout, "the TLS handshake timed out; does this port speak TLS?");
}

TEST(TlsHandshakeError, IsElseWhatEndedTheHandshake) {
  for (const auto code : {ErrorCode::tls, ErrorCode::unavailable}) {
    expect_error(tls_handshake_error({code, "what happened"}, X509_V_OK), code, "what happened");
  }
}

TEST(TlsSetupError, SaysWhatDidNotWorkAndOpensslsReason) {
  const auto code = ssl_code(SSL_R_BAD_VALUE);
  const auto message = "the file cannot be loaded: " + reason_of(code);
  expect_error(tls_setup_error("the file cannot be loaded", code), ErrorCode::tls, message);
  expect_error(tls_setup_error("the file cannot be loaded", 0), ErrorCode::tls,
               "the file cannot be loaded: no reason given");
}

TEST(OpensslError, OfAFileIsThatOfTheSystem) {
  ERR_raise(ERR_LIB_SYS, ENOENT);
  ERR_raise(ERR_LIB_SSL, ERR_R_SYS_LIB);
  const auto code = take_openssl_error();
  expect_error(tls_setup_error("the file cannot be loaded", code), ErrorCode::tls,
               "the file cannot be loaded: No such file or directory");
  EXPECT_EQ(::ERR_peek_error(), 0U);
}

TEST(OpensslError, IsTheLastOneAndLeavesTheQueueEmpty) {
  ERR_raise(ERR_LIB_SSL, SSL_R_BAD_VALUE);
  ERR_raise(ERR_LIB_SSL, SSL_R_WRONG_VERSION_NUMBER);
  EXPECT_EQ(ERR_GET_REASON(take_openssl_error()), SSL_R_WRONG_VERSION_NUMBER);
  EXPECT_EQ(take_openssl_error(), 0U);
  EXPECT_EQ(::ERR_peek_error(), 0U);
}

}}  // namespace obol::redis
