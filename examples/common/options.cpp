// Reads the command line with CLI11.
#include "options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <string_view>

#include "log.hpp"

namespace example {
namespace {

// host:port, with an IPv6 address in brackets.
std::string read_address(const std::string& text, Options& options) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return "--listen wants host:port, such as 127.0.0.1:8080";
  const std::string_view port = std::string_view(text).substr(colon + 1);
  const auto read = std::from_chars(port.data(), port.data() + port.size(), options.port);
  if (read.ec != std::errc{} || read.ptr != port.data() + port.size() || options.port < 0 || options.port > 65535) {
    return "--listen wants a port from 0 to 65535, where 0 takes one that is free";
  }
  options.host = text.substr(0, colon);
  if (options.host.starts_with('[') && options.host.ends_with(']')) options.host = options.host.substr(1, colon - 2);
  return {};
}

void add_duration(CLI::App& app, const std::string& name, std::chrono::seconds& duration, const std::string& text) {
  app.add_option_function<long>(
         name, [&duration](const long& seconds) { duration = std::chrono::seconds(seconds); }, text)
      ->check(CLI::Range(0L, 3'153'600'000L))
      ->type_name("SECONDS");
}

}  // namespace

std::optional<Options> read_options(const std::string& about, int argument_count, char** arguments, int& exit_code) {
  Options options;
  CLI::App app(about + " OBOL_SECRET: the secret that signs them.");
  app.add_option_function<std::string>(
         "--listen",
         [&options](const std::string& text) {
           if (auto problem = read_address(text, options); !problem.empty()) throw CLI::ValidationError(problem);
         },
         "Where to listen (127.0.0.1:8080); port 0 takes a free one")
      ->type_name("HOST:PORT");
  bool is_memory = false;
  auto* redis = app.add_option("--redis", options.redis_uri, "Keep sessions there: redis://, rediss:// or unix://")
                    ->type_name("URI");
  auto* memory = app.add_flag("--memory", is_memory, "Keep sessions in this process")->excludes(redis);
  auto* certificate =
      app.add_option("--certificate", options.certificate_file, "Serve TLS with this PEM chain")->type_name("FILE");
  auto* key =
      app.add_option("--key", options.private_key_file, "and its private key")->type_name("FILE")->needs(certificate);
  certificate->needs(key);
  add_duration(app, "--access-lifetime", options.sessions.access_lifetime, "How long an access token lasts (300)");
  add_duration(app, "--overlap", options.sessions.overlap, "How long a replaced refresh token is still accepted (10)");
  add_duration(app, "--drift", options.sessions.drift, "How far the clocks of the hosts may differ (5)");
  try {
    app.parse(argument_count, arguments);
    if (redis->count() + memory->count() == 0) throw CLI::RequiredError("--redis URI or --memory");
  } catch (const CLI::Success& success) {
    exit_code = app.exit(success);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    log_line(fmt::format("error: {}; --help has all options", error.what()));
    exit_code = 2;
    return std::nullopt;
  }
  return options;
}

}  // namespace example
