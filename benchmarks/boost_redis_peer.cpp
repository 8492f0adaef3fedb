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
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "bare_hmac.hpp"
#include "calls.hpp"
#include "peers.hpp"
#include "sealing/sealing.hpp"
#include "session_functions.hpp"
#include "store/session_commands.hpp"

namespace obol::benchmark {
namespace {

namespace asio = boost::asio;
namespace redis_peer = boost::redis;
using Clock = std::chrono::steady_clock;

std::string milliseconds_of(const Session& session) {
  return fmt::format("{}", field_expiry(session).time_since_epoch().count());
}

redis_peer::config config_of(const ConnectionOptions& ours) {
  redis_peer::config config;
  config.addr = {.host = ours.host, .port = fmt::format("{}", ours.port)};
  if (!ours.username.empty()) config.username = ours.username;
  config.password = ours.password;
  config.health_check_interval = Clock::duration::zero();
  config.reconnect_wait_interval = Clock::duration::zero();
  return config;
}

/// What a caller has for its calls. `hmac` is null if what is read and written needs no code.
struct Means {
  World& world;
  std::size_t caller;
  BareHmac* hmac;

  void authenticate(std::string_view sealed) const {
    if (hmac != nullptr) hmac->compute(sealed);
  }
};

/// HGET of a session.
class Get {
 public:
  using Value = std::string;
  explicit Get(const Means& means) : means_(means), picker_(means.caller) {}

  void ask(redis_peer::request& request) {
    const auto& key = means_.world.keys()[picker_.pick(means_.world.keys().size())];
    request.push("HGET", World::stored_key_of(key.user_id), key.id);
  }
  void take(const Value& sealed) const { means_.authenticate(sealed); }

 private:
  const Means means_;
  Picker picker_;
};

/// HGETALL of a user's sessions.
class GetAll {
 public:
  using Value = std::vector<std::string>;
  explicit GetAll(const Means& means) : means_(means), picker_(means.caller) {}

  void ask(redis_peer::request& request) {
    request.push("HGETALL", World::stored_key_of(World::user_id(picker_.pick(means_.world.users()))));
  }
  void take(const Value& fields) const {
    require(!fields.empty() && fields.size() % 2 == 0, "HGETALL by Boost.Redis");
    for (std::size_t i = 1; i < fields.size(); i += 2) means_.authenticate(fields[i]);
  }

 private:
  const Means means_;
  Picker picker_;
};

void push_create(redis_peer::request& request, const Means& means, const Session& session) {
  const auto sealed = sealing::encode_lock_version(1).append(sealed_bytes - 8, 'x');
  means.authenticate(sealed);
  request.push("HSETEX", World::stored_key_of(session.user_id), "FNX", "PXAT", milliseconds_of(session), "FIELDS", "1",
               session.id, sealed);
}

/// The command that Obol's create sends.
class Create {
 public:
  using Value = int;
  explicit Create(const Means& means) : means_(means) {}

  void ask(redis_peer::request& request) {
    push_create(request, means_, new_session(means_.world, means_.caller, number_++));
  }
  static void take(int created) { require(created == 1, "HSETEX by Boost.Redis"); }

 private:
  const Means means_;
  std::size_t number_ = first_number();
};

/// That and HDEL of the session in turn.
class CreateAndDelete {
 public:
  using Value = int;
  explicit CreateAndDelete(const Means& means) : means_(means) {}

  void ask(redis_peer::request& request) {
    if (number_ % 2 == 0) {
      session_ = new_session(means_.world, means_.caller, number_);
      push_create(request, means_, session_);
    } else {
      request.push("HDEL", World::stored_key_of(session_.user_id), session_.id);
    }
    ++number_;
  }
  static void take(int done) { require(done == 1, "HSETEX or HDEL by Boost.Redis"); }

 private:
  const Means means_;
  std::size_t number_ = first_number();
  Session session_{};
};

/// Obol's own function, after a create.
class Update {
 public:
  using Value = int;
  explicit Update(const Means& means)
      : means_(means), session_(new_session(means.world, means.caller, first_number())) {}

  void ask(redis_peer::request& request) {
    if (lock_version_ == 0) {
      push_create(request, means_, session_);
    } else {
      const auto sealed = sealing::encode_lock_version(lock_version_ + 1).append(sealed_bytes - 8, 'x');
      means_.authenticate(sealed);
      request.push("FCALL", embedded::update_function, "1", World::stored_key_of(session_.user_id), session_.id,
                   sealing::encode_lock_version(lock_version_), sealed, milliseconds_of(session_), "0");
    }
    ++lock_version_;
  }
  static void take(int stored) { require(stored == 1, "the update function by Boost.Redis"); }

 private:
  const Means means_;
  const Session session_;
  std::uint64_t lock_version_ = 0;
};

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

  template <class Exchange>
  Load put_load(std::size_t callers, BareHmac* hmac, std::chrono::duration<double> time) {
    std::vector<Latencies> latencies(callers);
    auto running = callers;
    const auto ends = [&](const std::exception_ptr& failure) {
      require(!failure, "a coroutine with Boost.Redis");
      if (--running == 0) context_.stop();
    };
    for (std::size_t caller = 0; caller < callers; ++caller) {
      latencies[caller].reserve(100'000);
      const Means means{.world = world_, .caller = caller, .hmac = hmac};
      asio::co_spawn(context_, call(Exchange(means), latencies[caller]), ends);
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

  template <class Exchange>
  asio::awaitable<void> call(Exchange exchange, Latencies& latencies) {
    while (!is_over_) {
      const auto start = Clock::now();
      redis_peer::request request;
      exchange.ask(request);
      redis_peer::response<typename Exchange::Value> response;
      const auto [error, size] = co_await connection_.async_exec(request, response, asio::as_tuple(asio::deferred));
      require(!error && std::get<0>(response).has_value(), "a command by Boost.Redis");
      exchange.take(std::get<0>(response).value());
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

template <class Exchange, bool is_verified = true>
PutLoad client_of(World& world, std::size_t callers) {
  return [&world, callers](std::chrono::duration<double> time) {
    BareHmac hmac;
    return BoostClient(world).put_load<Exchange>(callers, is_verified ? &hmac : nullptr, time);
  };
}

PutLoad creates_and_deletes(World& world, std::size_t callers) {
  return counted_as(0.5, client_of<CreateAndDelete>(world, callers));
}

}  // namespace

const BoostPeer& boost_redis_peer() {
  static constexpr BoostPeer peer{
      .get = client_of<Get, false>,
      .verified_get = client_of<Get>,
      .get_all = client_of<GetAll>,
      .create = client_of<Create>,
      .update = client_of<Update>,
      .create_and_delete = creates_and_deletes,
      .asio_get = boost_asio_get,
  };
  return peer;
}

}  // namespace obol::benchmark
