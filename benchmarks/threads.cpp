// Few threads and many: calls a second, the 99th percentile and processor time, each as a ratio to bare connections.
#include "threads.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "calls.hpp"
#include "comparison.hpp"
#include "delay_proxy.hpp"
#include "machine.hpp"

namespace obol::benchmark {
namespace {

/// What is hoped for of a number of threads.
struct Point {
  std::size_t threads;
  Goal per_second{.least = 1};
  Goal p99{};
  Goal cpu{};
};

class Threads {
 public:
  Threads(std::string server, const Settings& settings, Report& report)
      : server_(std::move(server)), settings_(settings), report_(report) {}

  void compare(World& world, std::string_view what, const Point& point, MakeCall (*bare)(World&),
               MakeCall (*obol)(World&)) {
    const auto pair = interleave(point.threads, settings_, bare(world), obol(world));
    const auto name = fmt::format("{}, {} threads", what, point.threads);
    add_rows(report_, {.server = server_, .what = name}, pair,
             {.per_second = point.per_second, .p99 = point.p99, .cpu = point.cpu});
  }

  /// How much of a difference is the price of verified sessions.
  void verify_by_hand(World& world, std::size_t threads) {
    const auto pair = interleave(threads, settings_, bare_get(world), verified_get(world, 1));
    add_rows(report_,
             {.server = server_, .what = fmt::format("HGET, verified and decoded by hand, {} threads", threads)}, pair);
  }

  void near(Server& server) {
    constexpr Goal at_most_bare{.most = 1};
    constexpr Goal little_more{.most = 1.15};
    constexpr std::array<Point, 7> points{{
        {.threads = 1, .per_second = {.least = 1.0}, .p99 = at_most_bare, .cpu = little_more},
        {.threads = 2, .per_second = {.least = 1.0}, .p99 = at_most_bare, .cpu = little_more},
        {.threads = 4, .per_second = {.least = 1.0}, .p99 = at_most_bare, .cpu = little_more},
        {.threads = 8, .per_second = {.least = 1.1}, .p99 = at_most_bare, .cpu = little_more},
        {.threads = 16, .per_second = {.least = 1.3}, .p99 = at_most_bare, .cpu = at_most_bare},
        {.threads = 64, .per_second = {.least = 2.8}, .p99 = at_most_bare, .cpu = at_most_bare},
        {.threads = 256, .per_second = {.least = 2.8}, .p99 = at_most_bare, .cpu = at_most_bare},
    }};
    World world(server, 1000);
    for (const auto& point : some(points)) compare(world, "get", point, bare_get, obol_get);
    for (const auto& point : some(std::span(points).first<4>())) verify_by_hand(world, point.threads);
  }

  void far(Server& server) {
    constexpr std::array<Point, 2> points{
        {{.threads = 16, .cpu = {.most = 1.15}}, {.threads = 64, .cpu = {.most = 1.15}}}};
    for (const auto trip : {std::chrono::microseconds(500), std::chrono::microseconds(2000)}) {
      const DelayProxy proxy(server.connection(), trip);
      Server delayed(proxy.connection());
      World world(delayed, 1000);
      const auto what = fmt::format("get, round trip {} ms", static_cast<double>(trip.count()) / 1e3);
      for (const auto& point : some(points)) compare(world, what, point, bare_get, obol_get);
    }
  }

  void other_calls(Server& server) {
    {
      World lists(server, 1000, 5);
      for (const auto& point : some(each())) compare(lists, "get_all of 5", point, bare_get_all, obol_get_all);
    }
    World world(server, 1000);
    for (const auto& point : some(each())) {
      compare(world, "create", point, bare_create, obol_create);
      compare(world, "update", point, bare_update, obol_update);
      compare(world, "create and delete", point, bare_create_and_delete, obol_create_and_delete);
    }
  }

  void few_processors(Server& server) {
    {
      const OneProcessor one;
      // A server that runs already stays where it is.
      std::optional<Server> beside;
      if (server.kind()) beside.emplace(*server.kind());
      World world(beside ? *beside : server, 1000);
      for (const auto& point : some(each())) compare(world, "get, one processor", point, bare_get, obol_get);
    }
    World world(server, 1000);
    const BusyMachine busy;
    for (const auto& point : some(each())) compare(world, "get, busy machine", point, bare_get, obol_get);
  }

 private:
  static std::span<const Point> each() {
    static constexpr std::array<Point, 4> points{{{.threads = 1}, {.threads = 4}, {.threads = 16}, {.threads = 64}}};
    return points;
  }

  std::span<const Point> some(std::span<const Point> points) const {
    return settings_.is_quick ? points.first(1) : points;
  }

  const std::string server_;
  const Settings settings_;
  Report& report_;
};

}  // namespace

void run_threads(Server& server, const Settings& settings, Report& report) {
  Threads threads(server.name(), settings, report);
  threads.near(server);
  threads.other_calls(server);
  threads.far(server);
  threads.few_processors(server);
}

}  // namespace obol::benchmark
