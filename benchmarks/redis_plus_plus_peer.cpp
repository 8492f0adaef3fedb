// redis-plus-plus: blocking calls from many threads, which share its pool.
#include <sw/redis++/redis++.h>

#include <memory>

#include "peers.hpp"

namespace obol::benchmark {
namespace {

sw::redis::ConnectionOptions options_of(const ConnectionOptions& ours) {
  sw::redis::ConnectionOptions options;
  options.host = ours.host;
  options.port = ours.port;
  if (!ours.username.empty()) options.user = ours.username;
  options.password = ours.password;
  return options;
}

}  // namespace

PutLoad redis_plus_plus_get(World& world, std::size_t callers) {
  sw::redis::ConnectionPoolOptions pool;
  pool.size = callers;
  auto redis = std::make_shared<sw::redis::Redis>(options_of(world.server().connection()), pool);
  const MakeCall make = [&world, redis](std::size_t thread) -> Call {
    return [&world, redis, picker = Picker(thread)](std::size_t) mutable {
      const auto& key = world.keys()[picker.pick(world.keys().size())];
      require(redis->hget(World::stored_key_of(key.user_id), key.id).has_value(), "HGET by redis-plus-plus");
    };
  };
  return [callers, make](std::chrono::duration<double> time) { return put_load(callers, time, make); };
}

}  // namespace obol::benchmark
