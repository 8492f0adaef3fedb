// TLS with a server of the test's own, which does what no honest server does, or refuses the client.
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "redis/net/tls_context.hpp"
#include "support/await.hpp"
#include "support/certificates.hpp"
#include "support/descriptor.hpp"

namespace obol::redis { namespace {

using std::chrono::milliseconds;
using testing::Descriptor;

/// A TLS server named "server" on a unix socket. Serves one client, in a thread of its own.
class TlsServer {
 public:
  TlsServer(const std::function<void(SSL_CTX*)>& set_up, std::function<void(SSL*, int client)> serve)
      : serve_(std::move(serve)) {
    const auto files = authority_.issue("server", "DNS:server");
    ::SSL_CTX_use_certificate_chain_file(context_.get(), files.certificate.c_str());
    ::SSL_CTX_use_PrivateKey_file(context_.get(), files.private_key.c_str(), SSL_FILETYPE_PEM);
    set_up(context_.get());
    std::string name = (std::filesystem::temp_directory_path() / "obol-tls-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.number(), 1), 0);
    thread_ = std::jthread([this] { take_client(); });
  }
  ~TlsServer() {
    thread_.join();
    std::filesystem::remove_all(folder_);
  }
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  /// What a client trusts it with.
  TlsOptions tls() const { return {.enabled = true, .ca_file = authority_.ca_file(), .server_name = "server"}; }

  Result<std::unique_ptr<Stream>> handshake(const TlsOptions& options) const {
    const auto deadline = Deadline::after(std::chrono::minutes(1));
    auto socket = Socket::connect_unix(path(), deadline);
    if (!socket) return std::unexpected(socket.error());
    return TlsContext(options, "server").handshake(std::move(*socket), deadline);
  }

 private:
  std::string path() const { return (folder_ / "s").string(); }

  void take_client() {
    const Descriptor client(::accept(listener_.number(), nullptr, nullptr));
    const std::unique_ptr<SSL, void (*)(SSL*)> session(::SSL_new(context_.get()), ::SSL_free);
    ::SSL_set_fd(session.get(), client.number());
    serve_(session.get(), client.number());
  }

  testing::Authority authority_;
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_{::SSL_CTX_new(::TLS_server_method()), ::SSL_CTX_free};
  std::function<void(SSL*, int)> serve_;
  std::filesystem::path folder_;
  Descriptor listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::jthread thread_;
};

/// Sends its client session tickets only, as fast as it reads them.
class TicketServer {
 public:
  const TlsServer& tls_server() const { return server_; }

  /// Waits until they are prepared.
  std::size_t bytes_of_tickets() { return prepared_.get_future().get(); }
  std::size_t bytes_taken() const { return taken_; }

 private:
  static constexpr int tickets = 10'000;
  static constexpr std::size_t piece = 16'384;

  void serve(SSL* session, int client) {
    EXPECT_EQ(::SSL_accept(session), 1);
    BIO* memory = ::BIO_new(::BIO_s_mem());
    ::SSL_set0_wbio(session, memory);
    for (int i = 0; i < tickets; ++i) EXPECT_EQ(::SSL_new_session_ticket(session), 1);
    EXPECT_EQ(::SSL_do_handshake(session), 1);
    char* bytes = nullptr;
    const auto size = BIO_get_mem_data(memory, &bytes);
    prepared_.set_value(static_cast<std::size_t>(size));
    send({bytes, static_cast<std::size_t>(size)}, client);
  }

  void send(std::string_view bytes, int client) {
    while (!bytes.empty()) {
      const auto sent = ::send(client, bytes.data(), std::min(bytes.size(), piece), MSG_NOSIGNAL);
      if (sent <= 0) return;
      taken_ += static_cast<std::size_t>(sent);
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  std::promise<std::size_t> prepared_;
  std::atomic<std::size_t> taken_ = 0;
  TlsServer server_{[](SSL_CTX* context) { ::SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); },
                    [this](SSL* session, int client) { serve(session, client); }};
};

TEST(TlsStream, StopsAtTheDeadlineInTheMiddleOfRecordsThatCarryNothing) {
  TicketServer server;
  auto stream = server.tls_server().handshake(server.tls_server().tls());
  ASSERT_TRUE(stream.has_value()) << stream.error().message;
  const auto all = server.bytes_of_tickets();
  testing::await("the first tickets", [&] { return server.bytes_taken() > 0; });
  std::array<char, 1024> buffer;
  const auto read = (*stream)->read_some(buffer.data(), buffer.size(), Deadline::after(milliseconds(20)));
  const auto taken = server.bytes_taken();
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::timeout) << read.error().message;
  EXPECT_LT(taken, all) << "OpenSSL read on until the tickets were at an end";
}

/// In TLS 1.2 such a server ends the handshake itself.
void ask_for_a_certificate(SSL_CTX* context) {
  ::SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
}

void refuse(SSL* session, int client) {
  EXPECT_LE(::SSL_accept(session), 0);
  // Closed with bytes left unread, the socket would drop the alert.
  std::array<char, 1024> rest;
  while (::recv(client, rest.data(), rest.size(), 0) > 0) {
  }
}

TEST(TlsStream, SaysThatTheServerRejectedUsThoughItsCertificateWasNotVerified) {
  const TlsServer server(ask_for_a_certificate, refuse);
  const auto stream = server.handshake({.enabled = true, .insecure_skip_verification = true});
  ASSERT_FALSE(stream.has_value());
  EXPECT_EQ(stream.error().code, ErrorCode::tls);
  EXPECT_NE(stream.error().message.find("the server rejected our certificate"), std::string::npos)
      << stream.error().message;
}

}}  // namespace obol::redis
