// get by bare hiredis, Obol and each peer in turn, round by round.
#include "peers.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "calls.hpp"
#include "comparison.hpp"

namespace obol::benchmark {
namespace {

void compare(World& world, std::size_t callers, const Settings& settings, Report& report, const std::string& server) {
  std::vector<std::string_view> names{"bare hiredis", "Obol"};
  std::vector<PutLoad> clients{from_threads(callers, bare_get(world)), from_threads(callers, obol_get(world))};
  for (const auto& peer : peers()) {
    names.push_back(peer.name);
    clients.push_back(peer.get(world, callers));
  }
  const auto loads = interleave(settings, clients);
  for (std::size_t i = 1; i < loads.size(); ++i) {
    add_rows(report, {.server = server, .what = fmt::format("get, {} callers, {}", callers, names[i])},
             {.bare = loads[0], .obol = loads[i]});
  }
}

}  // namespace

std::vector<Peer> peers() {
  return {
#ifdef OBOL_HAS_REDIS_PLUS_PLUS
      {.name = "redis-plus-plus", .get = redis_plus_plus_get},
#endif
#ifdef OBOL_HAS_BOOST_REDIS
      {.name = "Boost.Redis", .get = boost_redis_peer().get},
#endif
  };
}

const BoostPeer* boost_peer() {
#ifdef OBOL_HAS_BOOST_REDIS
  return &boost_redis_peer();
#else
  return nullptr;
#endif
}

void run_peers(Server& server, const Settings& settings, Report& report) {
  if (peers().empty()) return;
  require(server.connection().unix_socket.empty(), "comparing with peers over a Unix socket");
  World world(server, 1000);
  const auto counts = settings.is_quick ? std::vector<std::size_t>{1, 64} : std::vector<std::size_t>{1, 4, 16, 64, 256};
  for (const auto callers : counts) compare(world, callers, settings, report, server.name());
}

}  // namespace obol::benchmark
