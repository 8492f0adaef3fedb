// The comparisons, in the order of docs/performance.md.
#include "scenarios.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "async.hpp"
#include "calls.hpp"
#include "comparison.hpp"
#include "delay_proxy.hpp"
#include "load.hpp"
#include "manager.hpp"
#include "obol/metrics/store_metrics.hpp"
#include "peers.hpp"
#include "scripts.hpp"
#include "threads.hpp"

namespace obol::benchmark {
namespace {

class Scenarios {
 public:
  Scenarios(Server& server, const Settings& settings, Report& report)
      : server_(server), settings_(settings), report_(report), name_(server.name()) {}

  void single() {
    World world(server_, 1000);
    auto settings = settings_;
    settings.rounds *= 3;
    const auto pair = interleave(1, settings, bare_get(world), obol_get(world));
    add("get, 1 thread: median latency", "bare HGET", pair, &Load::median_us, "us", {.most = 1.05});
  }

  void many() {
    World world(server_, 1000);
    const auto before = allocations();
    const auto one = put_load(1, settings_.time, obol_get(world));
    report_.add_note(fmt::format("{}: {:.1f} allocations for each get (the benchmark's own included).", name_,
                                 static_cast<double>(allocations() - before) / static_cast<double>(one.calls)));
    const auto pair = interleave(64, settings_, bare_get(world), obol_get(world));
    add_rows(report_, {.server = name_, .what = "get, 64 threads", .limit = "bare HGET, a connection a thread"}, pair,
             {.per_second = {.least = 2.5}, .p99 = {.most = 1}});
    for (const auto& [keys, goal] : {std::pair{std::size_t{16}, Goal{.least = 0.8}}, {std::size_t{64}, Goal{}}}) {
      const auto bare = from_threads(2, bare_get_pipelined(world, keys));
      const auto verified = from_threads(2, verified_get(world, keys));
      const auto loads = interleave(settings_, std::array{bare, verified, from_threads(2, obol_get_many(world, keys))});
      const auto limit = fmt::format("bare HGET, {} in one send", keys);
      add(fmt::format("get_many of {}, 2 threads", keys), limit, {.bare = loads[0], .obol = loads[2]},
          &Load::per_second, "/s", goal);
      add(fmt::format("HGET, {} in one send, verified and decoded by hand, 2 threads", keys), limit,
          {.bare = loads[0], .obol = loads[1]}, &Load::per_second, "/s");
    }
  }

  void peers() { run_peers(server_, settings_, report_); }

  void async() { run_async(server_, settings_, report_); }

  void scripts() { run_scripts(server_, settings_, report_); }

  void manager() { run_manager(server_, settings_, report_); }

  void create() {
    World world(server_, 1000);
    const auto pair = interleave(64, settings_, charon_create(world), obol_create(world));
    add("create, 64 threads", "a function call for each, a connection a thread", pair, &Load::per_second, "/s",
        {.least = 2});
  }

  void update() {
    World world(server_, 1000);
    const auto pair = interleave(64, settings_, bare_update(world), obol_update(world));
    add("update, 64 threads", "the bare function, a connection a thread", pair, &Load::per_second, "/s");
    Pair deep{.bare = {}, .obol = pair.obol};
    for (int round = 0; round < settings_.rounds; ++round) {
      deep.bare.push_back(put_load(4, settings_.time, bare_update_pipelined(world, 32)));
      deep.bare.back().per_second *= 32;
    }
    add("update, 64 threads", "the bare function, 4 connections, 32 in one send", deep, &Load::per_second, "/s");
    const auto both = interleave(64, settings_, bare_get_and_update(world), obol_get_and_update(world));
    add("get, then update, 64 threads", "bare HGET, then the bare function, a connection a thread", both,
        &Load::per_second, "/s");
    add_server_share(world);
    add_function_cost(world);
  }

  void list() {
    World world(server_, 1000, 5);
    const auto pair = interleave(64, settings_, bare_get_all(world), obol_get_all(world));
    add("get_all of 5, 64 threads", "bare HGETALL, a connection a thread", pair, &Load::per_second, "/s", {.least = 2});
  }

  void near_cache() {
    World world(server_, 1000, 1, {.near_cache = {.enabled = true}});
    const auto unobserved = near_cache_hit(world.store(), world.keys());
    for (const std::size_t threads : {std::size_t{1}, std::size_t{2}}) {
      const auto pair = interleave(threads, settings_, bare_get(world), obol_get(world));
      add(fmt::format("get from the near cache, {} threads", threads), "bare HGET", pair, &Load::per_second, "/s");
    }
    auto observed_options = options_for(server_, {.near_cache = {.enabled = true}});
    observed_options.observer = std::make_shared<StoreMetrics>();
    auto observed = RedisStore::connect(std::move(observed_options)).value();
    report_.add_note(fmt::format("{}: the near cache answers in {:.0f} ns on one thread, in {:.0f} ns with metrics.",
                                 name_, unobserved, near_cache_hit(observed, world.keys())));
  }

  static double near_cache_hit(RedisStore& store, const std::vector<SessionKey>& keys) {
    for (const auto& key : keys) require(store.get(key).has_value(), "get");
    return nanoseconds_each(100'000, [&, picker = Picker(1)]() mutable {
      require(store.get(keys[picker.pick(keys.size())]).has_value(), "get");
    });
  }

  void threads() {
    World world(server_, 1000);
    const std::vector<std::size_t> counts = settings_.is_quick
                                                ? std::vector<std::size_t>{1, 16, 256}
                                                : std::vector<std::size_t>{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000};
    draw("threads", "get by number of threads", "threads", counts,
         [&](std::size_t count) { return interleave(count, fewer_rounds(), bare_get(world), obol_get(world)); });
    run_threads(server_, settings_, report_);
  }

  void sessions() {
    const std::vector<std::size_t> counts = settings_.is_quick
                                                ? std::vector<std::size_t>{1000, 10'000}
                                                : std::vector<std::size_t>{1000, 10'000, 100'000, 1'000'000};
    draw("sessions", "get at 64 threads by number of sessions", "sessions", counts, [&](std::size_t count) {
      World world(server_, count);
      return interleave(64, fewer_rounds(), bare_get(world), obol_get(world));
    });
  }

  void sessions_per_user() {
    const std::vector<std::size_t> counts =
        settings_.is_quick ? std::vector<std::size_t>{1, 10} : std::vector<std::size_t>{1, 2, 5, 10, 20, 50, 100};
    draw("sessions-per-user", "get_all at 64 threads by sessions per user", "sessions per user", counts,
         [&](std::size_t count) {
           World world(server_, 200, count);
           return interleave(64, fewer_rounds(), bare_get_all(world), obol_get_all(world));
         });
  }

  void round_trip() {
    for (const auto trip : {std::chrono::microseconds(500), std::chrono::microseconds(5000)}) {
      const DelayProxy proxy(server_.connection(), trip);
      Server delayed(proxy.connection());
      World world(delayed, 1000);
      for (const std::size_t threads : {std::size_t{16}, std::size_t{64}, std::size_t{256}}) {
        const auto pair = interleave(threads, fewer_rounds(), bare_get(world), obol_get(world));
        const auto what =
            fmt::format("get, {} threads, round trip {} ms", threads, static_cast<double>(trip.count()) / 1e3);
        add(what, "bare HGET, a connection a thread", pair, &Load::per_second, "/s");
        add(what + ": 99th percentile", "bare HGET, a connection a thread", pair, &Load::p99_us, "us");
      }
    }
  }

 private:
  void add(std::string what, std::string limit, const Pair& pair, double Load::* member, std::string unit,
           Goal goal = {}) {
    report_.add(row_of({.server = name_, .what = std::move(what), .limit = std::move(limit)}, pair, member,
                       std::move(unit), goal));
  }

  /// How busy the server's one thread is while updates come from 64 threads.
  void add_server_share(World& world) {
    const auto update = obol_update(world);
    const auto before = server_.time_of("fcall");
    const auto load = put_load(64, settings_.time, update);
    const auto after = server_.time_of("fcall");
    report_.add_note(
        fmt::format("{}: during updates from 64 threads the server's processor is {:.0f} % of one core, "
                    "the client's {:.0f} %.",
                    name_, (after.all_us - before.all_us) / load.seconds / 1e4,
                    load.client_cpu_us * static_cast<double>(load.calls) / load.seconds / 1e4));
  }

  /// The server's own measure of one call of each function, many in one send, so that it does not sleep in between. It
  /// counts the time that others took the processor away, too: in many short rounds the median is of those without.
  void add_function_cost(World& world) {
    std::vector<double> ours;
    std::vector<double> theirs;
    std::vector<double> ratios;
    constexpr int shorter = 10;
    const auto time = settings_.time / shorter;
    for (int round = 0; round < settings_.rounds * shorter; ++round) {
      for (const bool is_charon : {true, false}) {
        const auto before = server_.time_of("fcall");
        put_load(1, time, is_charon ? charon_update_pipelined(world, 32) : bare_update_pipelined(world, 32));
        const auto after = server_.time_of("fcall");
        (is_charon ? theirs : ours).push_back((after.command_us - before.command_us) / (after.calls - before.calls));
      }
      ratios.push_back(ours.back() / theirs.back());
    }
    report_.add(Row{.server = name_,
                    .what = "update: server CPU of the function",
                    .limit = "lock read and compared, two fields stored",
                    .obol = spread_of(ours).median,
                    .bare = spread_of(theirs).median,
                    .unit = "us",
                    .ratio = spread_of(ratios),
                    .most = 1});
  }

  Settings fewer_rounds() const {
    auto settings = settings_;
    settings.rounds = std::max(1, settings.rounds / 2 + 1);
    return settings;
  }

  void draw(const std::string& file, const std::string& title, const std::string& x_title,
            const std::vector<std::size_t>& points, const std::function<Pair(std::size_t)>& measure) {
    const auto kind = name_.substr(0, name_.find(' '));
    Chart speed{.name = fmt::format("{}-{}", kind, file),
                .title = fmt::format("{}, {}", title, name_),
                .x_title = x_title,
                .y_title = "calls a second",
                .x = {},
                .series = {{"Obol", {}}, {"bare hiredis", {}}}};
    Chart tail = speed;
    tail.name += "-latency";
    tail.title += ": latency";
    tail.y_title = "microseconds";
    tail.series = {{"Obol, median", {}}, {"Obol, 99th", {}}, {"bare, median", {}}, {"bare, 99th", {}}};
    for (const auto point : points) {
      const auto pair = measure(point);
      add(fmt::format("{}: {}", title, point), "bare hiredis, a connection a thread", pair, &Load::per_second, "/s");
      speed.x.push_back(static_cast<double>(point));
      tail.x.push_back(static_cast<double>(point));
      speed.series[0].values.push_back(median(pair.obol, &Load::per_second));
      speed.series[1].values.push_back(median(pair.bare, &Load::per_second));
      tail.series[0].values.push_back(median(pair.obol, &Load::median_us));
      tail.series[1].values.push_back(median(pair.obol, &Load::p99_us));
      tail.series[2].values.push_back(median(pair.bare, &Load::median_us));
      tail.series[3].values.push_back(median(pair.bare, &Load::p99_us));
    }
    report_.add(std::move(speed));
    report_.add(std::move(tail));
  }

  Server& server_;
  const Settings settings_;
  Report& report_;
  const std::string name_;
};

constexpr std::array<std::pair<std::string_view, void (Scenarios::*)()>, 14> scenarios{{
    {"single", &Scenarios::single},
    {"many", &Scenarios::many},
    {"create", &Scenarios::create},
    {"update", &Scenarios::update},
    {"list", &Scenarios::list},
    {"near-cache", &Scenarios::near_cache},
    {"round-trip", &Scenarios::round_trip},
    {"threads", &Scenarios::threads},
    {"peers", &Scenarios::peers},
    {"async", &Scenarios::async},
    {"manager", &Scenarios::manager},
    {"scripts", &Scenarios::scripts},
    {"sessions", &Scenarios::sessions},
    {"sessions-per-user", &Scenarios::sessions_per_user},
}};

}  // namespace

std::vector<std::string_view> scenario_names() {
  std::vector<std::string_view> names{"sealing", "cluster"};
  for (const auto& [name, run] : scenarios) names.push_back(name);
  return names;
}

void run_scenarios(Server& server, const Settings& settings, Report& report) {
  Scenarios all(server, settings, report);
  for (const auto& [name, run] : scenarios) {
    if (settings.only.empty() || settings.only == name) (all.*run)();
  }
}

}  // namespace obol::benchmark
