// A small auth server: sign-up, login, "your devices". This process keeps the accounts, Obol the sessions.
// Usage: obol_auth_server (--redis URI | --memory) [--listen host:port] [--certificate FILE --key FILE]
#include <utility>

#include "process.hpp"
#include "server.hpp"
#include "site.hpp"

int main(int argument_count, char** arguments) {
  using namespace example;
  return run_host({.name = "auth server", .session_type = "web", .watches_sessions = true}, argument_count, arguments,
                  [](const Options& options, OpenSessions opened) {
                    auth_server::Site site(std::move(opened.manager), std::move(opened.watch).value(),
                                           options.sessions.keyring, options.is_over_tls(), opened.kept_in);
                    return serve(auth_server::make_server(options, site), options, "Auth server", site.kept_in);
                  });
}
