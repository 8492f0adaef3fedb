// obol_sizing: how many bytes of a server's memory a session takes, by payload and by sessions a user.
// Usage: obol_sizing [--server redis|valkey|URI] [--sessions N]     scripts/bench --sizing builds and runs it.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "obol/session_id.hpp"
#include "server_arguments.hpp"
#include "world.hpp"

namespace {

using namespace obol::benchmark;

constexpr std::size_t payloads[] = {0, 100, 300, 1000, 4000};
constexpr std::size_t sessions_each[] = {1, 2, 5, 20, 100};

obol::Session session_of(std::size_t user, std::size_t payload_bytes) {
  auto session = make_session(user, 0);
  session.id = obol::generate_session_id().value();
  session.user_id = fmt::format("{:08}-0000-4000-8000-000000000000", user);
  session.refresh_token_id = obol::generate_session_id().value();
  session.extra_payload.assign(payload_bytes, 'p');
  return session;
}

/// What a session takes on top of what the server took before. A private server is a new one each time: tables that
/// grew once would hide what the next sessions take.
double bytes_each(const ServerArguments& arguments, const std::string& name, std::size_t each,
                  std::size_t payload_bytes) {
  Server server = arguments.connect(name);
  auto store = obol::RedisStore::connect(options_for(server)).value();
  const double before = server.used_memory();
  const std::size_t users = arguments.sessions / each;
  for (std::size_t user = 0; user < users; ++user) {
    for (std::size_t number = 0; number < each; ++number) {
      auto session = session_of(user, payload_bytes);
      require(store.upsert(session).has_value(), "upsert");
    }
  }
  const double after = server.used_memory();
  server.clean();
  return (after - before) / static_cast<double>(users * each);
}

void measure(const ServerArguments& arguments, const std::string& name) {
  fmt::print("\n{}, {} sessions\n\n| payload |", arguments.connect(name).name(), arguments.sessions);
  for (const auto each : sessions_each) fmt::print(" {} a user |", each);
  fmt::print("\n| ---: |");
  for ([[maybe_unused]] const auto each : sessions_each) fmt::print(" ---: |");
  fmt::print("\n");
  for (const auto payload : payloads) {
    fmt::print("| {} |", payload);
    for (const auto each : sessions_each) {
      fmt::print(" {:.0f} |", bytes_each(arguments, name, each, payload));
      std::fflush(stdout);
    }
    fmt::print("\n");
  }
}

}  // namespace

int main(int count, char** words) {
  const auto arguments = ServerArguments::parse("obol_sizing", 20'000, count, words);
  for (const auto& server : arguments.servers) measure(arguments, server);
}
