// A small auth server: sign-up, login, "your devices". This process keeps the accounts, Obol the sessions.
// Usage: obol_auth_server (--redis URI | --memory) [--listen host:port] [--certificate FILE --key FILE]
#include <fmt/format.h>
#include <sodium.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <utility>

#include "log.hpp"
#include "obol/session_id.hpp"
#include "options.hpp"
#include "server.hpp"
#include "site.hpp"
#include "store.hpp"

namespace {

int fail(std::string_view problem) {
  auth_server::log_line(fmt::format("auth server: {}", problem));
  return 1;
}

obol::Result<obol::Keyring> open_keyring() {
  if (const char* secret = std::getenv("OBOL_SECRET"); secret != nullptr)
    return obol::Keyring::from_base_secret(secret);
  fmt::print(
      stderr,
      "auth server: OBOL_SECRET is not set: signing with a random key, so that sessions end with this process.\n");
  const auto secret = obol::generate_session_id();
  const auto more = obol::generate_session_id();
  if (!secret || !more) return std::unexpected(secret ? more.error() : secret.error());
  return obol::Keyring::from_base_secret(*secret + *more);
}

sigset_t termination_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

// Serves until a signal to terminate. Requests in progress are answered before it returns.
int serve(httplib::Server& server, const auth_server::Options& options, const auth_server::Site& site) {
  const auto signals = termination_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const int port = options.port == 0 ? server.bind_to_any_port(options.host) : options.port;
  if (port <= 0 || (options.port != 0 && !server.bind_to_port(options.host, port))) {
    return fail(fmt::format("cannot listen on {}:{}: is another server there? --listen chooses another address",
                            options.host, options.port));
  }
  std::thread listener([&server] { server.listen_after_bind(); });
  while (!server.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  fmt::print("Auth server on {}://{}:{}/, sessions in {}\n", site.is_over_tls ? "https" : "http",
             options.host.contains(':') ? "[" + options.host + "]" : options.host, port,
             auth_server::printable(site.kept_in));
  std::fflush(stdout);
  int signal = 0;
  ::sigwait(&signals, &signal);
  server.stop();
  listener.join();
  return 0;
}

int run(int argument_count, char** arguments) {
  int exit_code = 0;
  auto options = auth_server::read_options(argument_count, arguments, exit_code);
  if (!options) return exit_code;
  if (::sodium_init() < 0) return fail("libsodium found no source of random bytes");
  std::signal(SIGPIPE, SIG_IGN);
  auto keyring = open_keyring();
  if (!keyring) return fail(keyring.error().message);
  options->sessions.keyring = std::move(*keyring);
  auto opened = auth_server::open_sessions(options->redis_uri, options->sessions);
  if (!opened) return fail(opened.error().message);
  auth_server::Site site(std::move(opened->manager), !options->certificate_file.empty(), opened->kept_in);
  const auto server = auth_server::make_server(*options, site);
  if (!server) return fail(server.error());
  return serve(**server, *options, site);
}

}  // namespace

int main(int argument_count, char** arguments) {
  try {
    return run(argument_count, arguments);
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
