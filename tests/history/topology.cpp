// Scripts events on the fixtures.
#include "history/topology.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <utility>

#include "support/test_cluster.hpp"
#include "support/test_sentinel.hpp"

namespace obol::testing::history {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

/// So long before its end a server may have acknowledged what it had not yet sent to a replica.
constexpr Time replication_lag = nanoseconds(std::chrono::milliseconds(500)).count();

constexpr Time time_of_moves = nanoseconds(seconds(3)).count();

/// Files outlive processes, so a server that comes back has all it ever acknowledged.
const std::vector<std::string> persistence{"--appendonly", "yes", "--appendfsync", "no"};

/// Makes events out of functions with names.
class Script : public Topology {
 public:
  std::vector<std::string> events() const override {
    std::vector<std::string> names;
    for (const auto& [name, run] : steps_) names.push_back(name);
    return names;
  }

  Event happen(const std::string& name, const std::vector<std::string>& users) override {
    const auto step = std::ranges::find(steps_, name, &Step::name);
    if (step == steps_.end()) throw std::runtime_error("no such event: " + name);
    users_ = users;
    Event event{.name = name, .begun = now()};
    step->run(event);
    return event;
  }

  void mend(Event& event) override {
    if (auto mend = std::exchange(mend_, nullptr)) mend(event);
  }

 protected:
  using Run = std::function<void(Event&)>;
  struct Step {
    std::string name;
    Run run;
  };

  static void may_lose(Event& event, Time from) { event.windows.push_back({.from = from, .to = now()}); }
  /// Of a server that died or fell silent as the event began.
  static void may_lose_what_no_replica_had(Event& event) { may_lose(event, event.begun - replication_lag); }

  std::vector<Step> steps_;
  Run mend_;
  std::vector<std::string> users_;
};

// How soon nodes are failed over is as docs/scaling.md says of the times that were measured.
class Cluster final : public Script {
 public:
  explicit Cluster(ServerKind kind)
      : cluster_(kind, {.node_timeout = std::chrono::milliseconds(1000), .arguments = persistence}) {
    steps_ = {{"fail-over", [this](Event& event) { fail_over(event); }},
              {"kill", [this](Event& event) { kill(event); }},
              {"hang", [this](Event& event) { hang(event); }},
              {"move", [this](Event& event) { move(event); }},
              {"add-and-remove", [this](Event& event) { add_and_remove(event); }},
              {"restart-all", [this](Event& event) { restart_all(event); }}};
  }

  ConnectionOptions connection() const override { return cluster_.connection(); }
  std::size_t replicas() const override { return 1; }

 private:
  using Node = TestCluster::Node;

  Node victim() const { return cluster_.primary_of("{" + users_.front() + "}"); }

  std::vector<TestCluster::Slot> slots() const {
    std::vector<TestCluster::Slot> slots;
    for (const auto& user : users_) slots.push_back(cluster_.slot_of("{" + user + "}"));
    return slots;
  }

  // The primary takes part: nothing may be lost.
  void fail_over(Event& event) {
    cluster_.fail_over(cluster_.replicas_of(victim()).front());
    event.restored = now();
    mend_ = [this](Event&) { cluster_.await_whole(); };
  }

  void kill(Event& event) {
    const auto node = victim();
    const auto replicas = cluster_.replicas_of(node);
    cluster_.kill(node);
    cluster_.await_promotion(replicas);
    event.restored = now();
    may_lose_what_no_replica_had(event);
    mend_ = [this, node](Event&) {
      cluster_.restart(node);
      cluster_.await_whole();
    };
  }

  void hang(Event& event) {
    const auto node = victim();
    const auto replicas = cluster_.replicas_of(node);
    cluster_.pause(node);
    cluster_.await_promotion(replicas);
    event.restored = now();
    may_lose_what_no_replica_had(event);
    mend_ = [this, node](Event& again) {
      // It takes itself for the primary until it hears of the other.
      const auto resumed = now();
      cluster_.resume(node);
      cluster_.await_whole();
      may_lose(again, resumed);
    };
  }

  // To the next primary and on, for as long as it takes to be sure that calls were made meanwhile.
  void move(Event& event) {
    event.restored = event.begun;
    const auto slots = this->slots();
    while (now() < event.begun + time_of_moves) {
      const auto primaries = cluster_.primaries();
      for (const auto slot : slots) {
        const auto home = std::ranges::find(primaries, cluster_.primary_of(slot));
        const auto next = home == primaries.end() || home + 1 == primaries.end() ? primaries.begin() : home + 1;
        cluster_.move_slots({slot}, *next);
      }
    }
    mend_ = [this](Event&) { cluster_.await_whole(); };
  }

  void add_and_remove(Event& event) {
    event.restored = event.begun;
    const auto home = victim();
    const auto added = cluster_.add_empty_primary();
    cluster_.move_slots(slots(), added);
    mend_ = [this, added, home](Event&) { cluster_.remove_primary(added, home); };
  }

  void restart_all(Event& event) {
    cluster_.restart_all();
    cluster_.await_whole();
    event.restored = now();
    may_lose_what_no_replica_had(event);
  }

  TestCluster cluster_;
};

class Sentinel final : public Script {
 public:
  explicit Sentinel(ServerKind kind)
      : sentinel_(kind, {.down_after = std::chrono::milliseconds(500), .arguments = persistence}) {
    steps_ = {{"fail-over", [this](Event& event) { fail_over(event); }},
              {"kill", [this](Event& event) { kill(event); }},
              {"hang", [this](Event& event) { hang(event); }},
              {"lose-a-sentinel", [this](Event& event) { lose_a_sentinel(event); }},
              {"restart-all", [this](Event& event) { restart_all(event); }}};
  }

  ConnectionOptions connection() const override { return sentinel_.connection(); }
  std::size_t replicas() const override { return 2; }

 private:
  // Unlike in a cluster, the old primary goes on for a moment after the new one was made.
  void fail_over(Event& event) {
    sentinel_.fail_over();
    event.restored = now();
    sentinel_.await_whole();
    may_lose(event, event.begun);
  }

  void kill(Event& event) {
    const auto node = sentinel_.primary();
    sentinel_.kill(node);
    sentinel_.await_primary_other_than(node);
    event.restored = now();
    may_lose_what_no_replica_had(event);
    mend_ = [this, node](Event& again) {
      // As one that hung: it takes itself for the primary until a sentinel tells it.
      const auto restarted = now();
      sentinel_.restart(node);
      sentinel_.await_whole();
      may_lose(again, restarted);
    };
  }

  void hang(Event& event) {
    const auto node = sentinel_.primary();
    sentinel_.pause(node);
    sentinel_.await_primary_other_than(node);
    event.restored = now();
    may_lose_what_no_replica_had(event);
    mend_ = [this, node](Event& again) {
      // It takes itself for the primary until a sentinel tells it.
      const auto resumed = now();
      sentinel_.resume(node);
      sentinel_.await_whole();
      may_lose(again, resumed);
    };
  }

  // The one that callers know as the first.
  void lose_a_sentinel(Event& event) {
    sentinel_.kill_sentinel(0);
    fail_over(event);
    mend_ = [this](Event&) {
      sentinel_.restart_sentinel(0);
      sentinel_.await_whole();
    };
  }

  void restart_all(Event& event) {
    sentinel_.restart_all();
    sentinel_.await_whole();
    event.restored = now();
    may_lose_what_no_replica_had(event);
  }

  TestSentinel sentinel_;
};

}  // namespace

std::unique_ptr<Topology> make_cluster(ServerKind kind) { return std::make_unique<Cluster>(kind); }

std::unique_ptr<Topology> make_sentinel(ServerKind kind) { return std::make_unique<Sentinel>(kind); }

}  // namespace obol::testing::history
