// The goals of the asynchronous store, each measured in turn with what it is compared with.
#include "async.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async_hosts.hpp"
#include "calls.hpp"
#include "comparison.hpp"
#include "delay_proxy.hpp"
#include "peers.hpp"

namespace obol::benchmark {
namespace {

using Loads = std::vector<Load>;

std::vector<double> each(const Loads& loads, double Load::* member) {
  std::vector<double> values;
  for (const auto& load : loads) values.push_back(load.*member);
  return values;
}

/// Calls in one send of raw hiredis.
constexpr std::size_t deep = 64;

/// get by so many callers in one thread: what is hoped for of calls a second, beside each limit, and of the rest.
struct Point {
  std::size_t callers;
  Goal to_boost{};
  Goal to_verified_boost{};
  Goal to_raw{};
  std::optional<double> cpu_us{};       ///< At most.
  std::optional<double> asio_cpu_us{};  ///< At most, on top of that.
};

/// Another call, by 64 callers.
struct OtherCall {
  std::string_view what;
  BeginCaller (*begin)();
  MakeCall (*blocking)(World&);
  BoostPeer::Make BoostPeer::* boost;
};

/// Bytes that this process has allocated and not freed.
double bytes_held() {
  const auto info = ::mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

class Async {
 public:
  Async(Server& server, const Settings& settings, Report& report)
      : server_(server), settings_(settings), report_(report), name_(server.name()) {}

  void near() {
    static constexpr std::array<Point, 6> points{{
        {.callers = 1},
        {.callers = 2, .to_verified_boost = {.least = 1}},
        {.callers = 4, .to_verified_boost = {.least = 1}},
        {.callers = 16, .to_verified_boost = {.least = 1}},
        {.callers = 64, .to_boost = {.least = 1.4}, .cpu_us = 2.0, .asio_cpu_us = 0.5},
        {.callers = 256, .to_boost = {.least = 2.2}, .to_raw = {.least = 0.8}},
    }};
    World world(server_, 1000);
    auto store = connect_async(world);
    alone(world, store);
    for (const auto& point : points) compare(world, store, point);
    count_allocations(world, store);
    other_threads(world, store);
  }

  void other_calls() {
    static constexpr std::array<OtherCall, 3> calls{{
        {.what = "create", .begin = creates, .blocking = obol_create, .boost = &BoostPeer::create},
        {.what = "update", .begin = updates, .blocking = obol_update, .boost = &BoostPeer::update},
        {.what = "create and delete",
         .begin = creates_and_deletes,
         .blocking = obol_create_and_delete,
         .boost = &BoostPeer::create_and_delete},
    }};
    for (const auto& call : calls) compare(call, 1);
    compare({.what = "get_all of 5", .begin = get_alls, .blocking = obol_get_all, .boost = &BoostPeer::get_all}, 5);
  }

  void far() {
    for (const auto trip : {std::chrono::microseconds(500), std::chrono::microseconds(2000)}) {
      const DelayProxy proxy(server_.connection(), trip);
      Server delayed(proxy.connection());
      World world(delayed, 1000);
      auto store = connect_async(world);
      const auto loads =
          interleave(settings_, std::array{from_threads(1, bare_get(world)), in_hand_loop(world, store, 64, gets())});
      add(fmt::format("get, 64 callers, round trip {} ms: median", static_cast<double>(trip.count()) / 1e3),
          "a round trip: bare HGET, 1 thread", loads[1], loads[0], &Load::median_us, "us", {.most = 1.3});
    }
  }

  /// Calls that wait cost memory in proportion to their number, which is limited.
  void hold_many() {
    const std::size_t most = settings_.is_quick ? 10'000 : 100'000;
    World world(server_, 1000);
    std::vector<double> few;
    std::vector<double> many;
    std::vector<double> ratios;
    for (int round = 0; round < settings_.rounds; ++round) {
      few.push_back(bytes_for_each_of(world, most / 10));
      many.push_back(bytes_for_each_of(world, most));
      ratios.push_back(many.back() / few.back());
    }
    report_.add(Row{.server = name_,
                    .what = fmt::format("memory of each get, {} in flight", most),
                    .limit = fmt::format("{} in flight", most / 10),
                    .obol = spread_of(many).median,
                    .bare = spread_of(few).median,
                    .unit = "bytes",
                    .ratio = spread_of(ratios),
                    .most = 1.1});
  }

 private:
  void add(std::string what, std::string limit, const Loads& obol, const Loads& bare, double Load::* member,
           std::string unit, Goal goal = {}) {
    report_.add(row_of({.server = name_, .what = std::move(what), .limit = std::move(limit)},
                       {.bare = bare, .obol = obol}, member, std::move(unit), goal));
  }

  /// A figure that shall be no more than that, whatever else is measured.
  void add_limited(std::string what, const std::vector<double>& measured, double most, std::string unit) {
    std::vector<double> ratios;
    for (const auto value : measured) ratios.push_back(value / most);
    report_.add(Row{.server = name_,
                    .what = std::move(what),
                    .limit = "the goal",
                    .obol = spread_of(measured).median,
                    .bare = most,
                    .unit = std::move(unit),
                    .ratio = spread_of(std::move(ratios)),
                    .most = 1});
  }

  /// One caller waits for each round trip.
  void alone(World& world, AsyncRedisStore& store) {
    auto settings = settings_;
    settings.rounds *= 3;
    const auto loads =
        interleave(settings, std::array{from_threads(1, bare_get(world)), in_hand_loop(world, store, 1, gets())});
    add("get, 1 caller: median latency", "bare HGET, 1 thread", loads[1], loads[0], &Load::median_us, "us",
        {.most = 1.15});
  }

  void compare(World& world, AsyncRedisStore& store, const Point& point) {
    std::vector<PutLoad> clients{in_hand_loop(world, store, point.callers, gets()),
                                 counted_as(deep, from_threads(1, bare_get_pipelined(world, deep)))};
    if (const auto* const boost = boost_peer()) {
      clients.push_back(boost->get(world, point.callers));
      clients.push_back(boost->verified_get(world, point.callers));
      clients.push_back(boost->asio_get(world, store, point.callers));
    }
    const auto loads = interleave(settings_, clients);
    const auto& obol = loads[0];
    const auto what = fmt::format("get, {} callers", point.callers);
    add(what, fmt::format("raw hiredis, {} in one send", deep), obol, loads[1], &Load::per_second, "/s", point.to_raw);
    const auto cpu = each(obol, &Load::client_cpu_us);
    if (point.cpu_us) add_limited(what + ": client CPU for each", cpu, *point.cpu_us, "us");
    if (loads.size() > 2) compare_with_boost(what, point, loads);
  }

  void compare_with_boost(const std::string& what, const Point& point, std::span<const Loads> loads) {
    const auto& obol = loads[0];
    const auto& boost = loads[2];
    const auto& asio = loads[4];
    add_rows(report_, {.server = name_, .what = what, .limit = "Boost.Redis, nothing verified"},
             {.bare = boost, .obol = obol}, {.per_second = point.to_boost});
    add(what, "Boost.Redis with HMAC", obol, loads[3], &Load::per_second, "/s", point.to_verified_boost);
    add(what + " through Asio", "Boost.Redis, nothing verified", asio, boost, &Load::per_second, "/s");
    add(what + " through Asio: client CPU for each", "a loop by hand", asio, obol, &Load::client_cpu_us, "us");
    if (!point.asio_cpu_us) return;
    std::vector<double> more;
    for (std::size_t round = 0; round < asio.size(); ++round) {
      more.push_back(asio[round].client_cpu_us - obol[round].client_cpu_us);
    }
    add_limited(what + ": client CPU that Asio adds", more, *point.asio_cpu_us, "us");
  }

  void compare(const OtherCall& call, std::size_t sessions_each) {
    constexpr std::size_t callers = 64;
    World world(server_, 1000, sessions_each);
    auto store = connect_async(world);
    std::vector<PutLoad> clients{in_hand_loop(world, store, callers, call.begin()),
                                 from_threads(callers, call.blocking(world))};
    if (const auto* const boost = boost_peer()) clients.push_back((boost->*call.boost)(world, callers));
    const auto loads = interleave(settings_, clients);
    const auto what = fmt::format("{}, {} callers", call.what, callers);
    add(what, "the blocking store, 64 threads", loads[0], loads[1], &Load::per_second, "/s", {.least = 1});
    add(what + ": client CPU for each", "the blocking store, 64 threads", loads[0], loads[1], &Load::client_cpu_us,
        "us");
    if (loads.size() < 3) return;
    add(what, "Boost.Redis with HMAC", loads[0], loads[2], &Load::per_second, "/s", {.least = 1});
    add(what + ": client CPU for each", "Boost.Redis with HMAC", loads[0], loads[2], &Load::client_cpu_us, "us");
  }

  /// Threads that call a driver's thread; and a loop in each of two threads.
  void other_threads(World& world, AsyncRedisStore& store) {
    auto other = store.another();
    require(other.has_value(), "another");
    const auto loads = interleave(
        settings_, std::array{in_hand_loop(world, store, 64, gets()), in_background(world, store, 4, 16, gets()),
                              in_hand_loops(world, std::array{&store, &*other}, 32, gets())});
    add_limited("get, BackgroundDriver, 4 threads of 16: client CPU", each(loads[1], &Load::client_cpu_us), 5, "us");
    add("get, BackgroundDriver, 4 threads of 16", "a loop by hand, 64 callers", loads[1], loads[0], &Load::per_second,
        "/s");
    add("get, 2 loops of 32 callers", "one loop, 64 callers", loads[2], loads[0], &Load::per_second, "/s",
        {.least = 1});
  }

  /// Without that of the caller, who makes a key.
  void count_allocations(World& world, AsyncRedisStore& store) {
    const auto load = in_hand_loop(world, store, 64, gets());
    const auto before_key = allocations();
    const auto key = world.keys().front();
    const auto of_key = static_cast<double>(allocations() - before_key);
    std::vector<double> counts;
    for (int round = 0; round < settings_.rounds; ++round) {
      const auto before = allocations();
      const auto calls = load(settings_.time).calls;
      counts.push_back(static_cast<double>(allocations() - before) / static_cast<double>(calls) - of_key);
    }
    require(key == world.keys().front(), "copying a key");
    add_limited("get, 64 callers: allocations of each", counts, 6, "");
  }

  /// At the moment of the most, from the first call that waits to the last that is answered.
  static double bytes_for_each_of(World& world, std::size_t count) {
    constexpr std::chrono::minutes enough{1};
    auto store = connect_async(world, {.pool = {.max_waiting = count, .checkout_timeout = enough},
                                       .timeouts = {.command = enough, .total = enough}});
    const auto before = bytes_held();
    std::size_t ended = 0;
    for (std::size_t i = 0; i < count; ++i) {
      store.get(world.keys()[i % world.keys().size()]).start([&](const auto& session) {
        require(session && *session, "get");
        ++ended;
      });
    }
    auto most = bytes_held();
    bool was_refused = false;
    store.get(world.keys().front()).start([&](const auto& session) {
      require(!session && session.error().code == ErrorCode::pool_timeout, "refusing a call beyond max_waiting");
      was_refused = true;
    });
    drive(store, [&] {
      most = std::max(most, bytes_held());
      return ended == count;
    });
    require(was_refused, "refusing a call beyond max_waiting");
    return (most - before) / static_cast<double>(count);
  }

  Server& server_;
  const Settings settings_;
  Report& report_;
  const std::string name_;
};

}  // namespace

void run_async(Server& server, const Settings& settings, Report& report) {
  require(server.connection().unix_socket.empty(), "measuring the asynchronous store over a Unix socket");
  Async async(server, settings, report);
  async.near();
  async.other_calls();
  async.far();
  async.hold_many();
}

}  // namespace obol::benchmark
