// The same calls by functions and by scripts, and the server's time for an update of each.
#include "scripts.hpp"

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "calls.hpp"
#include "comparison.hpp"
#include "redis/protocol/function_library.hpp"
#include "world.hpp"

namespace obol::benchmark {
namespace {

using redis::FunctionForm;

/// A create counts and evicts, which is a function.
RedisStoreOptions options_with(FunctionLoading functions) {
  return {.policy = {.max_sessions = 5}, .functions = functions};
}

/// As Scenarios::add_function_cost: the server's own measure, in many short rounds.
void add_server_cost(World& world, const Settings& settings, Report& report) {
  constexpr int shorter = 10;
  const auto cost_of = [&](FunctionForm form, std::string_view command) {
    const auto before = world.server().time_of(command);
    put_load(1, settings.time / shorter, bare_update_pipelined(world, 32, form));
    const auto after = world.server().time_of(command);
    return (after.command_us - before.command_us) / (after.calls - before.calls);
  };
  std::vector<double> functions;
  std::vector<double> scripts;
  std::vector<double> ratios;
  for (int round = 0; round < settings.rounds * shorter; ++round) {
    functions.push_back(cost_of(FunctionForm::library, "fcall"));
    scripts.push_back(cost_of(FunctionForm::scripts, "evalsha"));
    ratios.push_back(scripts.back() / functions.back());
  }
  report.add(Row{.server = world.server().name(),
                 .what = "update: server CPU of the script",
                 .limit = "that of the function",
                 .obol = spread_of(scripts).median,
                 .bare = spread_of(functions).median,
                 .unit = "us",
                 .ratio = spread_of(ratios)});
}

}  // namespace

// Both worlds have the same sessions. Creates come last: they evict those.
void run_scripts(Server& server, const Settings& settings, Report& report) {
  World functions(server, 1000, 1, options_with(FunctionLoading::load_at_connect));
  World scripts(server, 1000, 1, options_with(FunctionLoading::scripts));
  add_server_cost(scripts, settings, report);
  using Make = MakeCall (*)(World&);
  for (const auto& [what, make] : {std::pair<std::string_view, Make>{"get, which calls neither", obol_get},
                                   {"update", obol_update},
                                   {"create with a maximum of sessions", obol_create}}) {
    for (const std::size_t threads : {std::size_t{1}, std::size_t{64}}) {
      add_rows(report,
               {.server = server.name(),
                .what = fmt::format("{}, by scripts, {} threads", what, threads),
                .limit = "by functions"},
               interleave(threads, settings, make(functions), make(scripts)));
    }
  }
}

}  // namespace obol::benchmark
