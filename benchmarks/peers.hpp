// Other clients for Redis, which Obol is compared with if they were found when this was built.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "load.hpp"
#include "obol/async_redis_store.hpp"
#include "scenarios.hpp"
#include "world.hpp"

namespace obol::benchmark {

/// Another client. Its calls are bare HGETs of a world's sessions, neither verified nor decoded.
struct Peer {
  std::string_view name;
  PutLoad (*get)(World& world, std::size_t callers);
};

/// Its own pool with a connection for each thread.
PutLoad redis_plus_plus_get(World& world, std::size_t callers);

/// Boost.Redis: one connection and one thread, in which each caller is a coroutine.
struct BoostPeer {
  using Make = PutLoad (*)(World& world, std::size_t callers);
  Make get;
  // With an HMAC of each session that is read or written; nothing is decoded.
  Make verified_get;
  Make get_all;
  Make create;
  Make update;
  Make create_and_delete;  ///< One call is both.
  /// Not Boost.Redis: Obol through obol/boost_asio.hpp, with the same coroutines.
  PutLoad (*asio_get)(World& world, AsyncRedisStore& store, std::size_t callers);
};

/// Null if Boost was not found.
const BoostPeer* boost_peer();

/// What asio_get is.
PutLoad boost_asio_get(World& world, AsyncRedisStore& store, std::size_t callers);

/// For boost_peer().
const BoostPeer& boost_redis_peer();

/// Those that were found.
std::vector<Peer> peers();

/// What to tell if there are none.
inline constexpr std::string_view no_peers =
    "peers: no other client was found. Install Boost 1.84 or newer (Debian 13: libboost1.88-dev) or redis-plus-plus, "
    "or "
    "name the folders that hold them in CMAKE_PREFIX_PATH, and build again.";

/// Compares Obol and each peer with bare hiredis; nothing without peers.
void run_peers(Server& server, const Settings& settings, Report& report);

}  // namespace obol::benchmark
