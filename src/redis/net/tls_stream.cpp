// Drives OpenSSL over a socket, in steps. A BIO of our own: OpenSSL's socket BIO raises SIGPIPE.
#include "redis/net/tls_stream.hpp"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include "base/openssl_use.hpp"
#include "redis/net/tls_errors.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

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
      if (result == 1) break;
      auto need = what_is_needed(result);
      if (!need) return rejected(std::move(need.error()));
      if (auto ready = await(*need, deadline); !ready) return rejected(std::move(ready.error()));
    }
    phase_ = TlsPhase::transfer;
    return {};
  }

  Result<Step> try_read(char* buffer, std::size_t capacity) override {
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
        return std::unexpected(tls_error(take_openssl_error(), phase_));
      default:
        return closed_by_server();
    }
  }

  /// In TLS 1.3 a server refuses our certificate after the handshake: its alert waits behind the broken write.
  Error last_words(Error error) {
    char byte = 0;
    const int read = step([&] { return ::SSL_read(ssl_.get(), &byte, 1); });
    if (read > 0 || ::SSL_get_error(ssl_.get(), read) != SSL_ERROR_SSL) return error;
    return tls_error(take_openssl_error(), phase_);
  }

  /// Why the handshake failed. OpenSSL judges the certificate also if that is not to end the handshake.
  std::unexpected<Error> rejected(Error error) const {
    const bool verifies = ::SSL_get_verify_mode(ssl_.get()) != SSL_VERIFY_NONE;
    const long verdict = verifies ? ::SSL_get_verify_result(ssl_.get()) : X509_V_OK;
    return std::unexpected(tls_handshake_error(std::move(error), verdict));
  }

  struct Free {
    void operator()(SSL* ssl) const noexcept {
      const OpensslUse use;
      ::SSL_free(ssl);
    }
  };
  Socket socket_;
  Wire wire_;
  TlsPhase phase_ = TlsPhase::handshake;
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace

Result<std::unique_ptr<Stream>> tls_handshake(SSL_CTX* context, const std::string& name, Socket socket,
                                              Deadline deadline) {
  // A stream that cannot be used closes its socket when no use of OpenSSL goes on any more: closing takes a lock that a
  // fork holds while it waits for such uses.
  auto stream = std::make_unique<TlsStream>(std::move(socket));
  if (!stream->prepare(context, name)) {
    return std::unexpected(tls_setup_error("OpenSSL cannot set up TLS", take_openssl_error()));
  }
  if (auto done = stream->handshake(deadline); !done) return std::unexpected(std::move(done.error()));
  return stream;
}

}}}  // namespace obol::v0::redis
