#include "server_arguments.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace obol::benchmark {

void ServerArguments::explain(std::string_view wrong) const {
  fmt::print(stderr, "{0}: {1}\nUsage: {0} [--server redis|valkey|URI] [--sessions N]\n", program, wrong);
  std::exit(2);
}

ServerArguments ServerArguments::parse(std::string_view program, std::size_t sessions, int count, char** words) {
  ServerArguments arguments{.program = program, .sessions = sessions};
  for (int i = 1; i < count; ++i) {
    const std::string_view option = words[i];
    if (i + 1 == count || (option != "--server" && option != "--sessions")) {
      arguments.explain("unknown option, or no value");
    }
    const std::string value = words[++i];
    if (option == "--server") {
      arguments.servers.push_back(value);
      continue;
    }
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), arguments.sessions);
    if (error != std::errc{} || end != value.data() + value.size() || arguments.sessions < 100) {
      arguments.explain("100 sessions at least");
    }
  }
  if (arguments.servers.empty()) arguments.servers = {"redis", "valkey"};
  return arguments;
}

Server ServerArguments::connect(const std::string& name) const {
  using testing::ServerKind;
  if (name == "redis" || name == "valkey") return Server(name == "redis" ? ServerKind::redis : ServerKind::valkey);
  auto connection = ConnectionOptions::from_uri(name);
  if (!connection) explain(connection.error().message);
  return Server(*connection);
}

}  // namespace obol::benchmark
