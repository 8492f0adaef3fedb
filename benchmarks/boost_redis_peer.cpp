// Boost.Redis: coroutines in one thread, whose commands share one connection. Boost's library is compiled here.
#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/redis/connection.hpp>
#include <boost/redis/src.hpp>
#include <boost/version.hpp>
#include <exception>
#include <string>
#include <tuple>

#include "peers.hpp"

namespace obol::benchmark {
namespace {

namespace asio = boost::asio;
namespace redis_peer = boost::redis;
using Clock = std::chrono::steady_clock;

redis_peer::config config_of(const ConnectionOptions& ours) {
  redis_peer::config config;
  config.addr = {.host = ours.host, .port = fmt::format("{}", ours.port)};
  if (!ours.username.empty()) config.username = ours.username;
  config.password = ours.password;
  config.health_check_interval = Clock::duration::zero();
  config.reconnect_wait_interval = Clock::duration::zero();
  return config;
}

/// A connection and the callers that share it, in the thread that makes this.
class BoostClient {
 public:
  explicit BoostClient(World& world) : world_(world) { connect(); }
  ~BoostClient() {
    is_closing_ = true;
    connection_.cancel();
    context_.restart();
    context_.run();
  }
  BoostClient(const BoostClient&) = delete;
  BoostClient& operator=(const BoostClient&) = delete;

  Load put_load(std::size_t callers, std::chrono::duration<double> time) {
    std::vector<Latencies> latencies(callers);
    auto running = callers;
    const auto ends = [&](const std::exception_ptr& failure) {
      require(!failure, "a coroutine with Boost.Redis");
      if (--running == 0) context_.stop();
    };
    for (std::size_t caller = 0; caller < callers; ++caller) {
      latencies[caller].reserve(100'000);
      asio::co_spawn(context_, call(Picker(caller), latencies[caller]), ends);
    }
    asio::steady_timer end(context_, std::chrono::duration_cast<Clock::duration>(time));
    end.async_wait([this](const boost::system::error_code&) { is_over_ = true; });
    const LoadTimer timer;
    context_.run();
    return timer.stop(latencies);
  }

 private:
  void connect() {
    const auto ends = [this](const boost::system::error_code&) { require(is_closing_, "a connection of Boost.Redis"); };
#if BOOST_VERSION >= 108900
    connection_.async_run(config_, ends);
#else
    connection_.async_run(config_, silent_, ends);
#endif
    bool is_connected = false;
    redis_peer::request ping;
    ping.push("PING");
    connection_.async_exec(ping, redis_peer::ignore, [&](const boost::system::error_code& error, std::size_t) {
      require(!error, "PING by Boost.Redis");
      is_connected = true;
    });
    while (!is_connected) context_.run_one();
  }

  asio::awaitable<void> call(Picker picker, Latencies& latencies) {
    while (!is_over_) {
      const auto start = Clock::now();
      const auto& key = world_.keys()[picker.pick(world_.keys().size())];
      redis_peer::request request;
      request.push("HGET", World::stored_key_of(key.user_id), key.id);
      redis_peer::response<std::string> response;
      const auto [error, size] = co_await connection_.async_exec(request, response, asio::as_tuple(asio::deferred));
      require(!error && std::get<0>(response).has_value(), "HGET by Boost.Redis");
      latencies.push_back(LoadTimer::nanoseconds_since(start));
    }
  }

  World& world_;
  const redis_peer::logger silent_{redis_peer::logger::level::disabled};
  const redis_peer::config config_ = config_of(world_.server().connection());
  asio::io_context context_{1};
#if BOOST_VERSION >= 108900
  redis_peer::connection connection_{context_, silent_};
#else
  redis_peer::connection connection_{context_};
#endif
  bool is_over_ = false;
  bool is_closing_ = false;
};

}  // namespace

PutLoad boost_redis_get(World& world, std::size_t callers) {
  return [&world, callers](std::chrono::duration<double> time) { return BoostClient(world).put_load(callers, time); };
}

}  // namespace obol::benchmark
