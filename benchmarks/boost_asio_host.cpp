// An event loop of Boost.Asio as the host of an asynchronous store.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <exception>

#include "async_callers.hpp"
#include "obol/boost_asio.hpp"
#include "peers.hpp"

namespace obol::benchmark {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using Face = boost_asio::Store<AsyncRedisStore>;

Load put_load(World& world, AsyncRedisStore& store, std::size_t count, std::chrono::duration<double> time) {
  asio::io_context context{1};
  Face face(store, context.get_executor());
  const boost_asio::Driver driver(store, context.get_executor());
  Callers callers(world, count);
  bool is_warm = false;
  face.get(world.keys().front(), [&](const auto& session) {
    require(session.has_value(), "get");
    is_warm = true;
  });
  while (!is_warm) context.run_one();
  const auto ends = [&](const std::exception_ptr& failure) {
    require(!failure, "a coroutine");
    if (callers.running == 0) context.stop();
  };
  for (std::size_t number = 0; number < count; ++number) {
    asio::co_spawn(context, async_get<asio::awaitable<void>>(face, callers, number), ends);
  }
  asio::steady_timer end(context, std::chrono::duration_cast<Clock::duration>(time));
  end.async_wait([&](const boost::system::error_code&) { callers.are_over = true; });
  const LoadTimer timer;
  context.run();
  return timer.stop(callers.latencies);
}

}  // namespace

PutLoad boost_asio_get(World& world, AsyncRedisStore& store, std::size_t callers) {
  return
      [&world, &store, callers](std::chrono::duration<double> time) { return put_load(world, store, callers, time); };
}

}  // namespace obol::benchmark
