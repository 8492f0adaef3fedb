// Hosts of an asynchronous store, and the load that callers in them put on it.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>

#include "async_callers.hpp"
#include "load.hpp"
#include "obol/async_redis_store.hpp"
#include "world.hpp"

namespace obol::benchmark {

/// Over the sessions of a world.
AsyncRedisStore connect_async(World& world, RedisStoreOptions options = {});

/// Begins the calls of one caller of a thread.
using BeginCaller = std::function<void(AsyncRedisStore& store, Callers& callers, std::size_t number)>;

BeginCaller gets();
BeginCaller get_alls();
BeginCaller creates();
BeginCaller creates_and_deletes();
BeginCaller updates();

/// A thread for each store, which is a loop of poll() and run_ready(), with so many callers each.
PutLoad in_hand_loops(World& world, std::span<AsyncRedisStore* const> stores, std::size_t callers, BeginCaller begin);
PutLoad in_hand_loop(World& world, AsyncRedisStore& store, std::size_t callers, BeginCaller begin);

/// A BackgroundDriver, and so many threads that call it, each of which completes its own calls.
PutLoad in_background(World& world, AsyncRedisStore& store, std::size_t threads, std::size_t callers_each,
                      BeginCaller begin);

/// Drives the store in this thread until `is_over`, which is asked after each round.
void drive(AsyncSessionStore& store, const std::function<bool()>& is_over);

}  // namespace obol::benchmark
