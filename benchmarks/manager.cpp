// Logins, access checks and refreshes of many threads, each with a session of its own.
#include "manager.hpp"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "calls.hpp"
#include "comparison.hpp"
#include "load.hpp"
#include "obol/session_manager.hpp"
#include "world.hpp"

namespace obol::benchmark {
namespace {

using std::chrono::seconds;
using std::chrono::system_clock;

/// A session's payload, so that it takes as many bytes as those of a World.
std::string payload() { return std::string(338, 'x'); }

/// Begins at the real time. `advance` makes it later for all who read it.
class MovableClock {
 public:
  obol::Clock reader() const {
    return [offset = offset_] { return system_clock::now() + seconds(*offset); };
  }
  void advance(seconds by) { *offset_ += by.count(); }

 private:
  std::shared_ptr<std::atomic<std::int64_t>> offset_ = std::make_shared<std::atomic<std::int64_t>>(0);
};

/// A manager over the store of a world.
class Managed {
 public:
  explicit Managed(Server& server)
      : world(server, 1000),
        manager(SessionManager::create(
                    std::shared_ptr<SessionStore>(std::shared_ptr<void>(), &world.store()),
                    {.keyring = options_for(server).keyring, .absolute_lifetime = {}, .clock = clock.reader()})
                    .value()) {}

  LoggedIn log_in(std::size_t user) {
    const auto now = std::chrono::floor<seconds>(system_clock::now());
    auto login = manager.log_in(World::user_id(user % world.users()), payload(), now);
    require(login.has_value(), "log_in");
    return std::move(*login);
  }

  MovableClock clock;
  World world;
  SessionManager manager;
};

MakeCall log_in(Managed& managed) {
  return [&managed](std::size_t thread) -> Call {
    return [&managed, thread](std::size_t number) { managed.log_in(thread * 31 + number); };
  };
}

MakeCall authenticate(Managed& managed, AccessCheck check) {
  return [&managed, check](std::size_t thread) -> Call {
    return [&managed, check, token = managed.log_in(thread).tokens.access](std::size_t) {
      const auto sender = managed.manager.authenticate(token, check);
      require(sender && *sender, "authenticate");
    };
  };
}

/// Every refresh that begins a generation finds the clock beyond the overlap.
MakeCall refresh(Managed& managed, bool begins_generation) {
  return [&managed, begins_generation](std::size_t thread) -> Call {
    return [&managed, begins_generation, token = managed.log_in(thread).tokens.refresh](std::size_t) mutable {
      if (begins_generation) managed.clock.advance(managed.manager.options().overlap + seconds(1));
      auto refreshed = managed.manager.refresh(token);
      require(refreshed && *refreshed, "refresh");
      token = std::move((*refreshed)->tokens.refresh);
    };
  };
}

}  // namespace

void run_manager(Server& server, const Settings& settings, Report& report) {
  Managed managed(server);
  auto& world = managed.world;
  struct Measured {
    std::string_view what;
    std::string_view limit;
    MakeCall bare;
    MakeCall obol;
  };
  const std::array all{
      Measured{"log_in", "the bare command of a create", bare_create(world), log_in(managed)},
      Measured{"authenticate, token and session", "bare HGET", bare_get(world),
               authenticate(managed, AccessCheck::token_and_session)},
      Measured{"authenticate, token alone", "bare HGET", bare_get(world), authenticate(managed, AccessCheck::token)},
      Measured{"refresh that joins a generation", "bare HGET", bare_get(world), refresh(managed, false)},
      Measured{"refresh that begins a generation", "bare HGET, then the bare function", bare_get_and_update(world),
               refresh(managed, true)},
  };
  for (const std::size_t threads : {std::size_t{1}, std::size_t{64}}) {
    for (const auto& one : all) {
      add_rows(report,
               {.server = server.name(),
                .what = fmt::format("{}, {} threads", one.what, threads),
                .limit = fmt::format("{}, a connection a thread", one.limit)},
               interleave(threads, settings, one.bare, one.obol));
    }
  }
}

}  // namespace obol::benchmark
