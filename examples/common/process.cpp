// libsodium, signals and the secret.
#include "process.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <expected>
#include <utility>

#include "log.hpp"
#include "obol/session_id.hpp"

namespace example {
namespace {

obol::Result<obol::Keyring> read_keyring() {
  if (const char* secret = std::getenv("OBOL_SECRET"); secret != nullptr) {
    return obol::Keyring::from_base_secret(secret);
  }
  log_line("OBOL_SECRET is not set: signing with a random key, so that sessions end with this process.");
  const auto secret = obol::generate_session_id();
  const auto more = obol::generate_session_id();
  if (!secret || !more) return std::unexpected(secret ? more.error() : secret.error());
  return obol::Keyring::from_base_secret(*secret + *more);
}

int run(const Host& host, int argument_count, char** arguments,
        const std::function<int(const Options& options, OpenSessions sessions)>& serve) {
  int exit_code = 0;
  auto options = read_options(fmt::format("A small {} whose sessions Obol keeps.", host.name), argument_count,
                              arguments, exit_code);
  if (!options) return exit_code;
  std::signal(SIGPIPE, SIG_IGN);
  if (::sodium_init() < 0) return fail("libsodium found no source of random bytes");
  auto keyring = read_keyring();
  if (!keyring) return fail(keyring.error().message);
  options->sessions.keyring = std::move(*keyring);
  options->sessions.session_type = host.session_type;
  auto opened = open_sessions(options->redis_uri, options->sessions, host.watches_sessions);
  if (!opened) return fail(opened.error().message);
  return serve(*options, std::move(*opened));
}

}  // namespace

int fail(std::string_view problem) {
  log_line(fmt::format("error: {}", problem));
  return 1;
}

int run_host(const Host& host, int argument_count, char** arguments,
             const std::function<int(const Options& options, OpenSessions sessions)>& serve) {
  try {
    return run(host, argument_count, arguments, serve);
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}

}  // namespace example
