// Sets up cpp-httplib, and waits for signals.
#include "http_server.hpp"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

#include "log.hpp"
#include "process.hpp"

namespace example {
namespace {

// Each open connection holds a thread, and browsers open several.
constexpr std::size_t threads = 64;
constexpr std::size_t most_bytes_of_a_request = std::size_t{8} * 1024;

// Replaces the library's own options, which let a second server share the port unnoticed.
void set_socket_options(httplib::Server& server) {
  server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    // Connections inherit it: a client that has vanished is given up.
    const unsigned int milliseconds = 30'000;
    ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds);
  });
}

std::unique_ptr<httplib::Server> make_tls_server(const Options& options) {
  return std::make_unique<httplib::SSLServer>([&](SSL_CTX& context) {
    return SSL_CTX_set_min_proto_version(&context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_use_certificate_chain_file(&context, options.certificate_file.c_str()) == 1 &&
           SSL_CTX_use_PrivateKey_file(&context, options.private_key_file.c_str(), SSL_FILETYPE_PEM) == 1 &&
           SSL_CTX_check_private_key(&context) == 1;
  });
}

sigset_t termination_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

MadeServer make_http_server(const Options& options) {
  auto server = options.is_over_tls() ? make_tls_server(options) : std::make_unique<httplib::Server>();
  if (!server->is_valid()) {
    return std::unexpected(fmt::format("{} and {} are no PEM certificate chain and its private key",
                                       options.certificate_file, options.private_key_file));
  }
  server->new_task_queue = [] { return new httplib::ThreadPool(threads); };
  server->set_payload_max_length(most_bytes_of_a_request);
  server->set_keep_alive_timeout(2);
  server->set_read_timeout(5);
  server->set_write_timeout(5);
  server->set_tcp_nodelay(true);
  set_socket_options(*server);
  return server;
}

int serve(const MadeServer& made, const Options& options, std::string_view name, std::string_view store) {
  if (!made) return fail(made.error());
  auto& server = **made;
  const auto signals = termination_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const int port = options.port == 0 ? server.bind_to_any_port(options.host) : options.port;
  if (port <= 0 || (options.port != 0 && !server.bind_to_port(options.host, port))) {
    return fail(fmt::format("cannot listen on {}:{}: is another server there? --listen chooses another address",
                            options.host, options.port));
  }
  std::thread listener([&server] { server.listen_after_bind(); });
  while (!server.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  fmt::print("{} on {}://{}:{}/, sessions in {}\n", name, options.is_over_tls() ? "https" : "http",
             options.host.contains(':') ? "[" + options.host + "]" : options.host, port, printable(store));
  std::fflush(stdout);
  int signal = 0;
  ::sigwait(&signals, &signal);
  server.stop();
  listener.join();
  return 0;
}

}  // namespace example
