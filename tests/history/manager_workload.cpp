#include "history/manager_workload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "history/impatient.hpp"
#include "history/random_faults.hpp"
#include "obol/async_redis_store.hpp"
#include "obol/redis_store.hpp"
#include "obol/session_id.hpp"
#include "support/fault_proxy.hpp"
#include "support/managers.hpp"
#include "support/sessions.hpp"

namespace obol::testing::history {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr seconds overlap{10};
constexpr seconds drift{1};
constexpr std::chrono::hours access_lifetime{24};

/// A minute passes in a second or less, so that sessions see many generations.
Clock fast_clock() {
  return [begin = std::chrono::system_clock::now()] {
    constexpr int speed = 100;
    return begin + speed * (std::chrono::system_clock::now() - begin);
  };
}

/// The functions that are called, of any manager.
class Manager {
 public:
  Manager() = default;
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;
  virtual ~Manager() = default;
  virtual Result<LoggedIn> log_in(sys_seconds read_at) = 0;
  virtual Result<std::optional<Authenticated>> authenticate(const std::string& token) = 0;
  virtual Result<std::optional<LoggedIn>> refresh(const std::string& token) = 0;
  virtual Result<Deleted> log_out(const SessionKey& session) = 0;
};

template <class Managing>
class ManagerOver final : public Manager {
 public:
  explicit ManagerOver(std::unique_ptr<Managing> manager) : manager_(std::move(manager)) {}
  Result<LoggedIn> log_in(sys_seconds read_at) override { return manager_->log_in("user", "payload", read_at); }
  Result<std::optional<Authenticated>> authenticate(const std::string& token) override {
    return manager_->authenticate(token, AccessCheck::token_and_session);
  }
  Result<std::optional<LoggedIn>> refresh(const std::string& token) override { return manager_->refresh(token, {}); }
  Result<Deleted> log_out(const SessionKey& session) override { return manager_->log_out(session); }

 private:
  std::unique_ptr<Managing> manager_;
};

/// Remembers which sessions have ended by reuse.
class Reuses final : public Observer {
 public:
  void on_token_reused(const TokenReusedEvent& event) noexcept override {
    if (!event.session_ended) return;
    const std::scoped_lock lock(mutex_);
    ended_.emplace(event.id_hash, now());
  }
  std::map<std::string, Time> ended() const {
    const std::scoped_lock lock(mutex_);
    return ended_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Time> ended_;
};

class ManagerWorkload {
 public:
  ManagerWorkload(const ManagerWorkloadOptions& options, Clock clock) : options_(options), clock_(std::move(clock)) {}

  void run(const std::vector<std::unique_ptr<Manager>>& managers) {
    std::vector<std::jthread> threads;
    for (std::size_t thread = 0; thread < options_.threads; ++thread) {
      threads.emplace_back([&, thread] { act(*managers[thread % managers.size()], options_.seed + thread); });
    }
  }

  std::vector<EndedByReuse> ended(const Reuses& reuses) const {
    std::vector<EndedByReuse> ended;
    for (const auto& [id_hash, time] : reuses.ended()) {
      if (const auto known = numbers_.find(id_hash); known != numbers_.end()) ended.push_back({known->second, time});
    }
    return ended;
  }
  const std::vector<ManagerCall>& history() const { return history_; }

 private:
  /// What a client has of a session: its newest tokens, and some that were replaced.
  struct Client {
    std::mutex mutex;
    std::uint32_t session = 0;
    std::optional<LoggedIn> newest;
    std::optional<LoggedIn> old;
  };
  struct Choice {
    std::uint32_t session;
    LoggedIn login;
  };

  static Issued issued(const LoggedIn& login) {
    const auto time = login.tokens.access_expires_at - access_lifetime;
    return {.version = login.session.lock_version,
            .generation = login.session.tokens_fresh_from,
            .issued_at = std::max<sys_seconds>(time, login.session.tokens_fresh_from)};
  }
  sys_seconds clock_now() const { return std::chrono::floor<seconds>(clock_()); }

  void act(Manager& manager, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    while (calls_begun_++ < options_.calls) {
      auto& client = clients_[random() % clients_.size()];
      const auto die = random() % 100;
      const auto choice = choose(client, die >= 95);
      if (!choice) {
        log_in(manager, client);
      } else if (die < 50 || die >= 98) {
        refresh(manager, client, *choice);
      } else if (die == 50) {
        log_out(manager, client, *choice);
      } else {
        authenticate(manager, client, *choice);
      }
    }
  }

  static std::optional<Choice> choose(Client& client, bool is_old) {
    const std::scoped_lock lock(client.mutex);
    const auto& login = is_old && client.old ? client.old : client.newest;
    if (!login) return std::nullopt;
    return Choice{client.session, *login};
  }

  ManagerCall begin(ManagerOperation operation, const Choice& choice) const {
    return {.operation = operation,
            .session = choice.session,
            .start = now(),
            .clock_at_start = clock_now(),
            .presented = issued(choice.login)};
  }

  void log_in(Manager& manager, Client& client) {
    const std::uint32_t session = ++next_session_;
    ManagerCall call{
        .operation = ManagerOperation::log_in, .session = session, .start = now(), .clock_at_start = clock_now()};
    const auto login = manager.log_in(clock_now());
    end(call, login);
    if (login) {
      call.given = issued(*login);
      const std::scoped_lock lock(client.mutex);
      client.session = session;
      client.newest = *login;
      client.old.reset();
    }
    const std::scoped_lock lock(mutex_);
    if (login) numbers_.emplace(session_id_hash(login->session.id), session);
    history_.push_back(std::move(call));
  }

  void refresh(Manager& manager, Client& client, const Choice& choice) {
    auto call = begin(ManagerOperation::refresh, choice);
    const auto refreshed = manager.refresh(choice.login.tokens.refresh);
    end(call, refreshed);
    if (refreshed && *refreshed) {
      call.given = issued(**refreshed);
      const std::scoped_lock lock(client.mutex);
      if (client.session == choice.session && client.newest) {
        if (!client.old || client.newest->session.lock_version > client.old->session.lock_version + 2) {
          client.old = client.newest;
        }
        if ((**refreshed).session.lock_version >= client.newest->session.lock_version) client.newest = **refreshed;
      }
    }
    finish(std::move(call), client, refreshed && !*refreshed);
  }

  void authenticate(Manager& manager, Client& client, const Choice& choice) {
    auto call = begin(ManagerOperation::authenticate, choice);
    const auto sender = manager.authenticate(choice.login.tokens.access);
    end(call, sender);
    finish(std::move(call), client, sender && !*sender);
  }

  void log_out(Manager& manager, Client& client, const Choice& choice) {
    auto call = begin(ManagerOperation::log_out, choice);
    const auto ended = manager.log_out(choice.login.session.key());
    end(call, ended);
    finish(std::move(call), client, false);
  }

  template <class T>
  static void end(ManagerCall& call, const Result<T>& outcome) {
    call.end = now();
    call.outcome = ManagerOutcome::done;
    if (!outcome) {
      call.outcome = ManagerOutcome::unknown;
      call.error = fmt::format("{}: {}", outcome.error().code.message(), outcome.error().message);
    } else if constexpr (requires { outcome->has_value(); }) {
      if (!outcome->has_value()) call.outcome = ManagerOutcome::nobody;
    }
  }

  /// Whoever is not logged in any more logs in again, some calls later.
  void finish(ManagerCall call, Client& client, bool is_out) {
    if (is_out) {
      const std::scoped_lock lock(client.mutex);
      if (client.session == call.session) client.newest.reset();
      if (client.session == call.session) client.old.reset();
    }
    const std::scoped_lock lock(mutex_);
    history_.push_back(std::move(call));
  }

  const ManagerWorkloadOptions options_;
  const Clock clock_;
  std::array<Client, 8> clients_;
  std::atomic<std::uint32_t> next_session_ = 0;
  std::atomic<std::size_t> calls_begun_ = 0;
  std::mutex mutex_;
  std::map<std::string, std::uint32_t> numbers_;
  std::vector<ManagerCall> history_;
};

std::vector<std::unique_ptr<Manager>> make_managers(const RedisStoreOptions& options,
                                                    const ManagerWorkloadOptions& wanted,
                                                    const SessionManagerOptions& manager_options) {
  std::vector<std::unique_ptr<Manager>> managers;
  for (std::uint64_t manager = 0; manager < 2; ++manager) {
    if (wanted.is_async) {
      using Facade = ManagerFacade<Impatient>;
      const auto store = std::make_shared<AsyncRedisStore>(connected<AsyncRedisStore>(options));
      constexpr bool has_limits = true;
      auto facade = Facade::create(store, manager_options, wanted.seed + manager, has_limits).value();
      managers.push_back(std::make_unique<ManagerOver<Facade>>(std::move(facade)));
    } else {
      auto over_store = make_manager(std::make_shared<RedisStore>(connected(options)), manager_options);
      managers.push_back(std::make_unique<ManagerOver<SessionManager>>(std::move(over_store)));
    }
  }
  return managers;
}

void print(const std::vector<ManagerCall>& calls, std::size_t reuses) {
  const auto count = [&](ManagerOperation operation, ManagerOutcome outcome) {
    return std::ranges::count_if(
        calls, [&](const auto& call) { return call.operation == operation && call.outcome == outcome; });
  };
  using enum ManagerOperation;
  using enum ManagerOutcome;
  for (const auto& [name, operation] : {std::pair("log_in", log_in), std::pair("authenticate", authenticate),
                                        std::pair("refresh", refresh), std::pair("log_out", log_out)}) {
    fmt::print("{}: done {}, nobody {}, unknown {}\n", name, count(operation, done), count(operation, nobody),
               count(operation, unknown));
  }
  fmt::print("sessions ended by a reused token: {}\n", reuses);
}

}  // namespace

std::vector<std::string> act_with_managers(const ManagerWorkloadOptions& wanted) {
  const TestServer server(wanted.server);
  FaultProxy proxy(server);
  auto options = options_for(server);
  options.connection = proxy.connection();
  options.timeouts = {.connect = milliseconds(1000), .command = milliseconds(100), .total = milliseconds(5000)};
  const auto reuses = std::make_shared<Reuses>();
  const SessionManagerOptions manager_options{.keyring = Keyring(signing_key()),
                                              .access_lifetime = access_lifetime,
                                              .overlap = overlap,
                                              .drift = drift,
                                              .observer = reuses,
                                              .clock = fast_clock()};
  ManagerWorkload workload(wanted, manager_options.clock);
  {
    const auto managers = make_managers(options, wanted, manager_options);
    proxy.follow(RandomFaults(wanted.seed));
    workload.run(managers);
  }
  const auto ended = workload.ended(*reuses);
  print(workload.history(), ended.size());
  auto broken = check_managers(workload.history(), ended, overlap, drift);
  const auto unknown = std::ranges::count(workload.history(), ManagerOutcome::unknown, &ManagerCall::outcome);
  if (static_cast<std::size_t>(unknown) > workload.history().size() / 2) {
    broken.emplace_back("too many calls have no known outcome to prove anything: is the machine overloaded?");
  }
  return broken;
}

}  // namespace obol::testing::history
