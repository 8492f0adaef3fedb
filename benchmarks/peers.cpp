// get by bare hiredis, Obol and each peer in turn, round by round.
#include "peers.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "calls.hpp"
#include "comparison.hpp"

namespace obol::benchmark {
namespace {

struct MeasuredClient {
  std::string_view name;
  PutLoad put_load;
  std::vector<Load> rounds{};
};

PutLoad from_threads(std::size_t threads, MakeCall make) {
  return
      [threads, make = std::move(make)](std::chrono::duration<double> time) { return put_load(threads, time, make); };
}

void compare(World& world, std::size_t callers, const Settings& settings, Report& report, const std::string& server) {
  MeasuredClient bare{.name = "bare hiredis", .put_load = from_threads(callers, bare_get(world))};
  std::vector<MeasuredClient> others{{.name = "Obol", .put_load = from_threads(callers, obol_get(world))}};
  for (const auto& peer : peers()) others.push_back({.name = peer.name, .put_load = peer.get(world, callers)});
  for (int round = 0; round < settings.rounds; ++round) {
    bare.rounds.push_back(bare.put_load(settings.time));
    for (auto& other : others) other.rounds.push_back(other.put_load(settings.time));
  }
  for (const auto& other : others) {
    add_rows(report, {.server = server, .what = fmt::format("get, {} callers, {}", callers, other.name)},
             {.bare = bare.rounds, .obol = other.rounds});
  }
}

}  // namespace

std::vector<Peer> peers() {
  return {
#ifdef OBOL_HAS_REDIS_PLUS_PLUS
      {.name = "redis-plus-plus", .get = redis_plus_plus_get},
#endif
#ifdef OBOL_HAS_BOOST_REDIS
      {.name = "Boost.Redis", .get = boost_redis_get},
#endif
  };
}

void run_peers(Server& server, const Settings& settings, Report& report) {
  if (peers().empty()) return;
  require(server.connection().unix_socket.empty(), "comparing with peers over a Unix socket");
  World world(server, 1000);
  const auto counts = settings.is_quick ? std::vector<std::size_t>{1, 64} : std::vector<std::size_t>{1, 4, 16, 64, 256};
  for (const auto callers : counts) compare(world, callers, settings, report, server.name());
}

}  // namespace obol::benchmark
