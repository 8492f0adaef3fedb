// Sets up cpp-httplib with strict limits and headers.
#include "server.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <exception>

#include "assets.hpp"
#include "exchange.hpp"
#include "log.hpp"
#include "routes.hpp"

namespace auth_server {
namespace {

// Each open connection holds a thread, and browsers open several.
constexpr std::size_t threads = 64;
constexpr std::size_t most_bytes_of_a_form = std::size_t{8} * 1024;

// No scripts, nothing from other sites, no framing by other sites, no caching.
// Without Strict-Transport-Security: for localhost it would affect all other servers there.
void add_security_headers(httplib::Server& server) {
  server.set_default_headers({
      {"Content-Security-Policy",
       "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "
       "'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "same-origin"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cache-Control", "no-store"},
  });
}

// Replaces the library's own options, which let a second server share the port unnoticed.
void set_socket_options(httplib::Server& server) {
  server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
}

void add_asset(httplib::Server& server, const std::string& path, std::string_view content, const char* type) {
  server.Get(path, [content, type](const httplib::Request&, httplib::Response& response) {
    response.set_header("Cache-Control", "public, max-age=86400");
    response.set_content(content.data(), content.size(), type);
  });
}

void add_error_pages(httplib::Server& server, Site& site) {
  server.set_error_handler([&site](const httplib::Request& request, httplib::Response& response) {
    if (!response.body.empty()) return;
    const auto title = response.status == 404 ? "There is no such page" : "That request was not understood";
    Exchange(site, request, response).say(response.status, title, "Nothing was done.");
  });
  server.set_exception_handler(
      [&site](const httplib::Request& request, httplib::Response& response, const std::exception_ptr&) {
        log_line(fmt::format("auth server: {} {} failed", request.method, request.path));
        Exchange(site, request, response).say(500, "Something went wrong", "It is not your fault. Please try again.");
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

}  // namespace

std::expected<std::unique_ptr<httplib::Server>, std::string> make_server(const Options& options, Site& site) {
  auto server = site.is_over_tls ? make_tls_server(options) : std::make_unique<httplib::Server>();
  if (!server->is_valid()) {
    return std::unexpected(fmt::format("{} and {} are no PEM certificate chain and its private key",
                                       options.certificate_file, options.private_key_file));
  }
  server->new_task_queue = [] { return new httplib::ThreadPool(threads); };
  server->set_payload_max_length(most_bytes_of_a_form);
  server->set_keep_alive_timeout(2);
  server->set_read_timeout(5);
  server->set_write_timeout(5);
  server->set_tcp_nodelay(true);
  set_socket_options(*server);
  add_security_headers(*server);
  add_error_pages(*server, site);
  add_asset(*server, "/style.css", assets::style, "text/css; charset=utf-8");
  add_asset(*server, "/coin.svg", assets::coin, "image/svg+xml");
  server->Get("/",
              [](const httplib::Request&, httplib::Response& response) { response.set_redirect("/devices", 303); });
  add_login_routes(*server, site);
  add_account_routes(*server, site);
  return server;
}

}  // namespace auth_server
