// The routes and headers of the HTTP server.
#include "server.hpp"

#include <fmt/format.h>

#include <exception>

#include "assets.hpp"
#include "exchange.hpp"
#include "log.hpp"
#include "routes.hpp"

namespace example::auth_server {
namespace {

// No scripts but our own, nothing from other sites, no framing by other sites, no caching.
// Without Strict-Transport-Security: for localhost it would affect all other servers there.
void add_security_headers(httplib::Server& server) {
  server.set_default_headers({
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; form-action "
       "'self'; base-uri 'none'; frame-ancestors "
       "'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "same-origin"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cache-Control", "no-store"},
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
        log_line(fmt::format("error: {} {} failed", request.method, request.path));
        Exchange(site, request, response).say(500, "Something went wrong", "It is not your fault. Please try again.");
      });
}

}  // namespace

MadeServer make_server(const Options& options, Site& site) {
  auto server = make_http_server(options);
  if (!server) return server;
  add_security_headers(**server);
  add_error_pages(**server, site);
  add_asset(**server, "/style.css", assets::style, "text/css; charset=utf-8");
  add_asset(**server, "/live.js", assets::live, "text/javascript; charset=utf-8");
  add_asset(**server, "/coin.svg", assets::coin, "image/svg+xml");
  (*server)->Get("/",
                 [](const httplib::Request&, httplib::Response& response) { response.set_redirect("/devices", 303); });
  add_login_routes(**server, site);
  add_account_routes(**server, site);
  return server;
}

}  // namespace example::auth_server
