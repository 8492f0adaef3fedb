// TLS with a server of the test's own, which sends what no honest server does.
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
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "redis/net/tls_context.hpp"
#include "support/await.hpp"
#include "support/certificates.hpp"
#include "support/descriptor.hpp"

namespace obol::redis { namespace {

using std::chrono::milliseconds;
using testing::Descriptor;

/// Takes in one client, and sends it session tickets only, as fast as it reads them.
class TicketServer {
 public:
  TicketServer() {
    std::string name = (std::filesystem::temp_directory_path() / "obol-tickets-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.number(), 1), 0);
    thread_ = std::jthread([this] { serve(); });
  }
  ~TicketServer() {
    thread_.join();
    std::filesystem::remove_all(folder_);
  }
  TicketServer(const TicketServer&) = delete;
  TicketServer& operator=(const TicketServer&) = delete;

  std::string path() const { return (folder_ / "s").string(); }
  TlsOptions tls() const { return {.enabled = true, .ca_file = authority_.ca_file(), .server_name = "server"}; }

  /// Waits until they are prepared.
  std::size_t bytes_of_tickets() { return prepared_.get_future().get(); }
  std::size_t bytes_taken() const { return taken_; }

 private:
  static constexpr int tickets = 10'000;
  static constexpr std::size_t piece = 16'384;

  void serve() {
    const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(::SSL_CTX_new(::TLS_server_method()), ::SSL_CTX_free);
    const auto files = authority_.issue("server", "DNS:server");
    ::SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str());
    ::SSL_CTX_use_PrivateKey_file(context.get(), files.private_key.c_str(), SSL_FILETYPE_PEM);
    ::SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    const Descriptor client(::accept(listener_.number(), nullptr, nullptr));
    const std::unique_ptr<SSL, void (*)(SSL*)> session(::SSL_new(context.get()), ::SSL_free);
    ::SSL_set_fd(session.get(), client.number());
    EXPECT_EQ(::SSL_accept(session.get()), 1);
    BIO* memory = ::BIO_new(::BIO_s_mem());
    ::SSL_set0_wbio(session.get(), memory);
    for (int i = 0; i < tickets; ++i) EXPECT_EQ(::SSL_new_session_ticket(session.get()), 1);
    EXPECT_EQ(::SSL_do_handshake(session.get()), 1);
    char* bytes = nullptr;
    const auto size = BIO_get_mem_data(memory, &bytes);
    prepared_.set_value(static_cast<std::size_t>(size));
    send({bytes, static_cast<std::size_t>(size)}, client.number());
  }

  void send(std::string_view bytes, int client) {
    while (!bytes.empty()) {
      const auto sent = ::send(client, bytes.data(), std::min(bytes.size(), piece), MSG_NOSIGNAL);
      if (sent <= 0) return;
      taken_ += static_cast<std::size_t>(sent);
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  testing::Authority authority_;
  std::filesystem::path folder_;
  Descriptor listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::promise<std::size_t> prepared_;
  std::atomic<std::size_t> taken_ = 0;
  std::jthread thread_;
};

TEST(TlsStream, StopsAtTheDeadlineInTheMiddleOfRecordsThatCarryNothing) {
  TicketServer server;
  TlsContext context(server.tls(), "server");
  auto socket = Socket::connect_unix(server.path(), Deadline::after(std::chrono::minutes(1)));
  ASSERT_TRUE(socket.has_value()) << socket.error().message;
  auto stream = context.handshake(std::move(*socket), Deadline::after(std::chrono::minutes(1)));
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

}}  // namespace obol::redis
