// Drives OpenSSL over a socket, in steps. A BIO of our own: OpenSSL's socket BIO raises SIGPIPE.
#include "redis/net/tls.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <utility>

#include "base/openssl_use.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

std::unexpected<Error> refuse(std::string message) {
  return std::unexpected(Error{ErrorCode::tls, std::move(message)});
}

/// The last thing OpenSSL complained about; empties its queue.
std::string openssl_reason() {
  const OpensslUse use;
  const unsigned long code = ::ERR_peek_last_error();
  ::ERR_clear_error();
  const char* reason = ::ERR_reason_error_string(code);
  return reason == nullptr ? "no reason given" : reason;
}

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

/// What the BIO reads from and writes to.
struct Wire {
  int descriptor = -1;
  int reads_left = 0;  ///< Of the step that is being made.
};

/// OpenSSL reads on by itself through records that carry nothing for us, such as session tickets, for as long as there
/// are any. So a step ends after as many reads, each half a record, as no honest step needs.
constexpr int most_reads_of_a_step = 64;

Wire& wire_of(BIO* bio) { return *static_cast<Wire*>(::BIO_get_data(bio)); }

int bio_write(BIO* bio, const char* bytes, int size) {
  ::BIO_clear_retry_flags(bio);
  const auto sent = ::send(wire_of(bio).descriptor, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && is_passing(errno)) ::BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* buffer, int capacity) {
  ::BIO_clear_retry_flags(bio);
  auto& wire = wire_of(bio);
  if (--wire.reads_left < 0) {
    ::BIO_set_retry_read(bio);
    return -1;
  }
  const auto received = ::recv(wire.descriptor, buffer, static_cast<std::size_t>(capacity), MSG_DONTWAIT);
  if (received < 0 && is_passing(errno)) ::BIO_set_retry_read(bio);
  return static_cast<int>(received);
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* socket_method() {
  static const auto* const method = [] {
    BIO_METHOD* made = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "obol socket");
    if (made != nullptr) {
      ::BIO_meth_set_write(made, bio_write);
      ::BIO_meth_set_read(made, bio_read);
      ::BIO_meth_set_ctrl(made, bio_control);
    }
    return made;
  }();
  return method;
}

/// Alerts by which a peer says that it does not accept our certificate or our terms (RFC 8446, section 6.2).
bool is_refusal_by_peer(unsigned long code) {
  constexpr std::array refusals{SSL_AD_HANDSHAKE_FAILURE,
                                SSL_AD_BAD_CERTIFICATE,
                                SSL_AD_UNSUPPORTED_CERTIFICATE,
                                SSL_AD_CERTIFICATE_REVOKED,
                                SSL_AD_CERTIFICATE_EXPIRED,
                                SSL_AD_CERTIFICATE_UNKNOWN,
                                SSL_AD_UNKNOWN_CA,
                                SSL_AD_DECRYPT_ERROR,
                                SSL_AD_ACCESS_DENIED,
                                SSL_AD_PROTOCOL_VERSION,
                                SSL_AD_INSUFFICIENT_SECURITY,
                                SSL_AD_UNRECOGNIZED_NAME,
                                TLS13_AD_CERTIFICATE_REQUIRED};
  return std::ranges::find(refusals, ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET) != refusals.end();
}

/// SNI and the name the certificate must bear.
bool expect_name(SSL* ssl, const std::string& name) {
  if (is_address(name)) return ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), name.c_str()) == 1;
  ::SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return ::SSL_set1_host(ssl, name.c_str()) == 1 && SSL_set_tlsext_host_name(ssl, name.c_str()) == 1;
}

class TlsStream final : public Stream {
 public:
  explicit TlsStream(Socket socket) : socket_(std::move(socket)), wire_({.descriptor = socket_.descriptor()}) {}

  /// Makes it ready to shake hands with a peer of that name. False if OpenSSL has no memory, or the name is too long.
  bool prepare(SSL_CTX* context, const std::string& name) {
    const OpensslUse use;
    ::ERR_clear_error();
    ssl_.reset(::SSL_new(context));
    return ssl_ && attach() && expect_name(ssl_.get(), name);
  }

  Result<void> handshake(Deadline deadline) {
    for (;;) {
      const int result = step([&] { return ::SSL_connect(ssl_.get()); });
      if (result == 1) return {};
      const auto need = what_is_needed(result);
      if (!need) return describe(need.error());
      if (auto ready = await(*need, deadline); !ready) return describe(std::move(ready.error()));
    }
  }

  bool is_quiet() override {
    char byte = 0;
    const int found = step([&] { return ::SSL_peek(ssl_.get(), &byte, 1); });
    return found <= 0 && wire_.reads_left >= 0 && ::SSL_get_error(ssl_.get(), found) == SSL_ERROR_WANT_READ;
  }

  int descriptor() const override { return wire_.descriptor; }

 private:
  static int size_of(std::size_t size) { return static_cast<int>(std::min<std::size_t>(size, INT_MAX)); }

  bool attach() {
    const BIO_METHOD* method = socket_method();
    BIO* bio = method == nullptr ? nullptr : ::BIO_new(method);
    if (bio == nullptr) return false;
    ::BIO_set_data(bio, &wire_);
    ::BIO_set_init(bio, 1);
    ::SSL_set_bio(ssl_.get(), bio, bio);
    return true;
  }

  Result<Step> try_read(char* buffer, std::size_t capacity, Deadline) override {
    const int received = step([&] { return ::SSL_read(ssl_.get(), buffer, size_of(capacity)); });
    if (received > 0) return Step{.moved = static_cast<std::size_t>(received)};
    const auto need = what_is_needed(received);
    if (!need) return std::unexpected(need.error());
    return Step{.moved = 0, .need = *need};
  }

  Result<Step> try_write(std::string_view bytes) override {
    const int sent = step([&] { return ::SSL_write(ssl_.get(), bytes.data(), size_of(bytes.size())); });
    if (sent > 0) return Step{.moved = static_cast<std::size_t>(sent)};
    const auto need = what_is_needed(sent);
    if (!need) return std::unexpected(last_words(need.error()));
    return Step{.moved = 0, .need = *need};
  }

  bool wait(Need need, Deadline deadline) override { return socket_.wait(need, deadline); }

  template <class Attempt>
  int step(Attempt attempt) {
    const OpensslUse use;
    ::ERR_clear_error();
    wire_.reads_left = most_reads_of_a_step;
    return attempt();
  }

  /// Before OpenSSL can go on, or why it cannot.
  Result<Need> what_is_needed(int result) {
    const int system_error = errno;
    switch (::SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return Need::readable;
      case SSL_ERROR_WANT_WRITE:
        return Need::writable;
      case SSL_ERROR_SYSCALL:
        return result == 0 || system_error == 0 ? closed_by_server() : connection_lost(system_error);
      case SSL_ERROR_SSL:
        return std::unexpected(failure());
      default:
        return closed_by_server();
    }
  }

  /// In TLS 1.3 a server refuses our certificate after the handshake: its alert waits behind the broken write.
  Error last_words(Error error) {
    char byte = 0;
    const int read = step([&] { return ::SSL_read(ssl_.get(), &byte, 1); });
    if (read > 0 || ::SSL_get_error(ssl_.get(), read) != SSL_ERROR_SSL) return error;
    return failure();
  }

  /// What OpenSSL says went wrong.
  static Error failure() {
    const unsigned long code = ::ERR_peek_last_error();
    if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return closed_by_server().error();
    const bool is_refusal = is_refusal_by_peer(code);
    auto message = fmt::format("TLS failed: {}", openssl_reason());
    if (!is_refusal) return {ErrorCode::unavailable, std::move(message)};
    return {ErrorCode::tls, message + "; the server rejected our certificate or TLS version"};
  }

  /// During a handshake a broken certificate or a plain-text peer is no passing trouble.
  std::unexpected<Error> describe(Error error) const {
    const long verdict = ::SSL_get_verify_result(ssl_.get());
    if (verdict != X509_V_OK) {
      return refuse(
          fmt::format("the server's certificate was rejected: {}; check its name and expiry, and "
                      "connection.tls.ca_file",
                      ::X509_verify_cert_error_string(verdict)));
    }
    if (error.code == ErrorCode::unavailable && error.message.starts_with("TLS failed")) {
      return refuse(error.message + "; does this port speak TLS 1.2 or newer?");
    }
    if (error.code == ErrorCode::timeout) error.message = "the TLS handshake timed out; does this port speak TLS?";
    return std::unexpected(std::move(error));
  }

  struct Free {
    void operator()(SSL* ssl) const noexcept {
      const OpensslUse use;
      ::SSL_free(ssl);
    }
  };
  Socket socket_;
  Wire wire_;
  std::unique_ptr<SSL, Free> ssl_;
};

/// An encrypted key must not make OpenSSL ask at the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

Result<void> trust(SSL_CTX* context, const TlsOptions& options) {
  if (options.insecure_skip_verification) {
    ::SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    return {};
  }
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (options.ca_file.empty()) {
    if (::SSL_CTX_set_default_verify_paths(context) == 1) return {};
    return refuse("the system's certificate store cannot be loaded: " + openssl_reason());
  }
  if (::SSL_CTX_load_verify_file(context, options.ca_file.c_str()) == 1) return {};
  return refuse(fmt::format("the file of connection.tls.ca_file cannot be loaded: {}", openssl_reason()));
}

Result<void> use_certificate(SSL_CTX* context, const TlsOptions& options) {
  if (options.certificate_file.empty()) return {};
  if (::SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) != 1) {
    return refuse(fmt::format("the file of connection.tls.certificate_file cannot be loaded: {}", openssl_reason()));
  }
  if (::SSL_CTX_use_PrivateKey_file(context, options.private_key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return refuse(
        fmt::format("the file of connection.tls.private_key_file cannot be loaded (PEM without a passphrase, "
                    "for that certificate): {}",
                    openssl_reason()));
  }
  return {};
}

/// Changes whenever the file does.
std::string stamp_of(const std::string& file) {
  struct stat status{};
  if (file.empty() || ::stat(file.c_str(), &status) != 0) return {};
  return fmt::format("{}:{}:{}:{}.{}", status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

void free_context(SSL_CTX* context) {
  const OpensslUse use;
  ::SSL_CTX_free(context);
}

std::string system_ca_file() {
  const char* chosen = std::getenv(::X509_get_default_cert_file_env());
  return chosen != nullptr ? chosen : ::X509_get_default_cert_file();
}

}  // namespace

TlsContext::TlsContext(const TlsOptions& options, const std::string& host)
    : options_(options),
      name_(options.server_name.empty() ? host : options.server_name),
      fork_registration_(mutex_, [] {}) {}

Result<void> TlsContext::check() {
  auto context = current();
  if (!context) return std::unexpected(std::move(context.error()));
  return {};
}

std::vector<std::string> TlsContext::stamps() const {
  return {stamp_of(options_.ca_file.empty() ? system_ca_file() : options_.ca_file), stamp_of(options_.certificate_file),
          stamp_of(options_.private_key_file)};
}

Result<TlsContext::Context> TlsContext::load() const {
  const OpensslUse use;
  ::ERR_clear_error();
  Context context(::SSL_CTX_new(::TLS_client_method()), free_context);
  if (!context || ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
    return refuse("OpenSSL cannot set up TLS: " + openssl_reason());
  }
  ::SSL_CTX_set_mode(context.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_default_passwd_cb(context.get(), no_passphrase);
  if (auto trusted = trust(context.get(), options_); !trusted) return std::unexpected(std::move(trusted.error()));
  if (auto used = use_certificate(context.get(), options_); !used) return std::unexpected(std::move(used.error()));
  return context;
}

// Files that are being replaced may be incomplete for a moment: what was loaded before then serves on.
Result<TlsContext::Context> TlsContext::current() {
  const std::scoped_lock lock(mutex_);
  auto found = stamps();
  if (context_ && found == loaded_stamps_) return context_;
  auto loaded = load();
  if (!loaded && context_) return context_;
  if (!loaded) return loaded;
  context_ = *loaded;
  loaded_stamps_ = std::move(found);
  return context_;
}

Result<std::unique_ptr<Stream>> TlsContext::handshake(Socket socket, Deadline deadline) {
  auto context = current();
  if (!context) return std::unexpected(std::move(context.error()));
  // A stream that cannot be used closes its socket when no use of OpenSSL goes on any more: closing takes a lock that a
  // fork holds while it waits for such uses.
  auto stream = std::make_unique<TlsStream>(std::move(socket));
  if (!stream->prepare(context->get(), name_)) return refuse("OpenSSL cannot set up TLS: " + openssl_reason());
  if (auto done = stream->handshake(deadline); !done) return std::unexpected(std::move(done.error()));
  return stream;
}

}}}  // namespace obol::v0::redis
