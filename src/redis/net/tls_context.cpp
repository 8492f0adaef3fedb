// Loads certificates and keys into an OpenSSL context, and looks whether their files have changed.
#include "redis/net/tls_context.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/openssl_use.hpp"
#include "redis/net/tls_errors.hpp"
#include "redis/net/tls_stream.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

std::unexpected<Error> refuse(std::string_view what) {
  return std::unexpected(tls_setup_error(what, take_openssl_error()));
}

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
    return refuse("the system's certificate store cannot be loaded");
  }
  if (::SSL_CTX_load_verify_file(context, options.ca_file.c_str()) == 1) return {};
  return refuse("the file of connection.tls.ca_file cannot be loaded");
}

Result<void> use_certificate(SSL_CTX* context, const TlsOptions& options) {
  if (options.certificate_file.empty()) return {};
  if (::SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) != 1) {
    return refuse("the file of connection.tls.certificate_file cannot be loaded");
  }
  if (::SSL_CTX_use_PrivateKey_file(context, options.private_key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return refuse(
        "the file of connection.tls.private_key_file cannot be loaded (PEM without a passphrase, for that "
        "certificate)");
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
    return refuse("OpenSSL cannot set up TLS");
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
  return tls_handshake(context->get(), name_, std::move(socket), deadline);
}

}}}  // namespace obol::v0::redis
