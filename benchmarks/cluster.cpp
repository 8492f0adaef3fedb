// Calls on clusters of several sizes, in turn.
#include "cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "load.hpp"
#include "support/test_cluster.hpp"
#include "world.hpp"

namespace obol::benchmark {
namespace {

constexpr std::size_t users = 1000;

/// A cluster, or one server, with a session for each user.
class Place {
 public:
  Place(testing::ServerKind kind, std::size_t primaries) {
    RedisStoreOptions options;
    if (primaries > 0) {
      cluster_.emplace(kind, testing::ClusterLayout{.primaries = primaries, .replicas_each = 0});
      options.connection = cluster_->connection();
    } else {
      options.connection = {.host = "127.0.0.1", .port = port_.number()};
      server_.emplace(kind, std::vector<std::string>{"--port", fmt::format("{}", port_.number())});
    }
    options.keyring = Keyring(SigningKey::from_bytes(std::string(32, 'k'), "bench").value());
    auto store = RedisStore::connect(std::move(options));
    require(store.has_value(), "connecting");
    store_ = std::make_unique<RedisStore>(std::move(*store));
    for (std::size_t user = 0; user < users; ++user) {
      auto session = make_session(user, 0);
      require(store_->upsert(session).has_value(), "storing a session");
    }
  }

  MakeCall get() const {
    return [this](std::size_t thread) -> Call {
      return [this, picker = Picker(thread)](std::size_t) mutable {
        require(store_->get(make_session_key(picker.pick(users))).has_value(), "get");
      };
    };
  }

  MakeCall update() const {
    return [this](std::size_t thread) -> Call {
      std::vector<Session> own;
      for (std::size_t user = 0; user < 50; ++user) {
        own.push_back(make_session(user * 20 + thread % 20, 1 + thread));
        require(store_->delete_one(own.back().key()).has_value(), "delete_one");
        require(store_->upsert(own.back()).has_value(), "upsert of a new session");
      }
      return [this, own = std::move(own)](std::size_t number) mutable {
        require(store_->upsert(own[number % own.size()]).has_value(), "upsert of a stored session");
      };
    };
  }

  /// That clients have sent to all servers.
  double commands() const {
    double sum = 0;
    const auto add = [&](const testing::TestServer& server) {
      const std::string text(server.command({"INFO", "stats"}).text);
      const std::string_view name = "total_commands_processed:";
      sum += std::stod(text.substr(text.find(name) + name.size()));
    };
    if (server_) add(*server_);
    for (std::size_t node = 0; cluster_ && node < cluster_->size(); ++node) add(cluster_->server(node));
    return sum;
  }

 private:
  static SessionKey make_session_key(std::size_t user) { return make_session(user, 0).key(); }

  testing::ReservedPort port_;
  std::optional<testing::TestServer> server_;
  std::optional<testing::TestCluster> cluster_;
  std::unique_ptr<RedisStore> store_;
};

struct Measured {
  std::vector<double> cpu;
  std::vector<double> latency;
};

class ClusterComparison {
 public:
  ClusterComparison(testing::ServerKind kind, const Settings& settings, Report& report)
      : settings_(settings), report_(report), name_(testing::name_of(kind)) {
    for (const auto primaries : sizes) places_.push_back(std::make_unique<Place>(kind, primaries));
  }

  void compare(const std::string& what, std::size_t threads, MakeCall (Place::*make)() const) {
    std::vector<Measured> all(places_.size());
    for (int round = 0; round < settings_.rounds; ++round) {
      for (std::size_t i = 0; i < places_.size(); ++i) {
        const auto load = put_load(threads, settings_.time, (*places_[i].*make)());
        all[i].cpu.push_back(load.client_cpu_us);
        all[i].latency.push_back(load.median_us);
      }
    }
    for (std::size_t i = 1; i < places_.size(); ++i) {
      const auto where = fmt::format("{}, {} threads, {} primaries", what, threads, sizes[i]);
      add(where + ": client CPU for each", all[i].cpu, all[0].cpu);
      add(where + ": median latency", all[i].latency, all[0].latency);
    }
  }

  void count_round_trips() {
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const auto before = places_[i]->commands();
      const auto load = put_load(1, settings_.time, places_[i]->get());
      // Less the questions for this number itself: a HELLO and an INFO for each server.
      const auto own = 2.0 * static_cast<double>(std::max<std::size_t>(sizes[i], 1));
      const auto commands = places_[i]->commands() - before - own;
      report_.add_note(fmt::format("{}: {:.3f} commands for each get {}.", name_,
                                   commands / static_cast<double>(load.calls),
                                   sizes[i] == 0 ? "on one server" : fmt::format("with {} primaries", sizes[i])));
    }
  }

 private:
  static constexpr std::array<std::size_t, 4> sizes{0, 1, 3, 6};  ///< 0: one server, no cluster.

  void add(std::string what, const std::vector<double>& here, const std::vector<double>& there) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < here.size(); ++i) ratios.push_back(here[i] / there[i]);
    report_.add(Row{.server = name_,
                    .what = std::move(what),
                    .limit = "Obol on one server",
                    .obol = spread_of(here).median,
                    .bare = spread_of(there).median,
                    .unit = "us",
                    .ratio = spread_of(ratios)});
  }

  const Settings settings_;
  Report& report_;
  const std::string name_;
  std::vector<std::unique_ptr<Place>> places_;
};

}  // namespace

void run_cluster(testing::ServerKind kind, const Settings& settings, Report& report) {
  ClusterComparison comparison(kind, settings, report);
  for (const std::size_t threads : {1UL, 64UL}) {
    comparison.compare("get", threads, &Place::get);
    comparison.compare("update", threads, &Place::update);
  }
  comparison.count_round_trips();
}

}  // namespace obol::benchmark
