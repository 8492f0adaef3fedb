// Every call ends by its deadline, whatever arrives and for however long.
#include <functional>
#include <future>
#include <limits>
#include <optional>
#include <thread>
#include <tuple>
#include <utility>

#include "support/fault_proxy.hpp"
#include "support/replicated_server.hpp"
#include "support/store_calls.hpp"
#include "support/tested_store.hpp"
#include "support/tls_front.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Timeouts hurried{.connect = milliseconds(200), .command = milliseconds(200), .total = milliseconds(600)};

/// How long a call may take on a loaded machine that should end after `hurried.total`.
constexpr seconds much_too_long{15};

/// So that nothing but the deadline ends a flood.
constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max() / 2;

/// What a server sends without an end.
struct Flood {
  std::string name;
  Fault fault;
  std::string word{};  ///< Of the commands it answers so; empty: the store's.
};

std::string large_push() {
  std::string bytes = ">20000\r\n";
  for (int i = 0; i < 20'000; ++i) bytes += "_\r\n";
  return bytes;
}

std::vector<Flood> floods() {
  return {{"Pushes", Fault::push_without_end()},
          {"TrickledPushes", Fault::push_without_end(milliseconds(1))},
          {"LargePushes", Fault::flood(large_push())},
          {"Replies", Fault::flood("+OK\r\n")},
          {"ALongReply", Fault::flood(std::string(1000, 'x'), "$60000000\r\n")},
          {"ALine", Fault::flood("x", "+")},
          {"ATrickledLine", Fault::trickle_without_end("x", milliseconds(1), "+")},
          {"PushesForGreetings", Fault::push_without_end(), "HELLO"},
          {"ALineForGreetings", Fault::flood("x", "+"), "HELLO"}};
}

template <class Call>
TimedCall timed(std::string_view name, Call call) {
  const auto start = std::chrono::steady_clock::now();
  const auto outcome = call();
  return {.call = name, .code = code_of(outcome), .took = std::chrono::steady_clock::now() - start};
}

/// What a store has beside a SessionStore's first calls, each made in a thread of its own.
std::vector<TimedCall> make_other_calls(TestedStore& store) {
  const SessionKey key{.user_id = "caller", .id = "absent"};
  std::vector<std::future<TimedCall>> calls;
  const auto make = [&](std::string_view name, auto call) {
    calls.push_back(std::async(std::launch::async, [name, call] { return timed(name, call); }));
  };
  make("get_many", [&] { return store.get_many(std::vector(20, key)); });
  make("rotate_id", [&] {
    auto session = new_session("caller", "rotated");
    session.lock_version = 1;
    return store.rotate_id(session);
  });
  make("get_from_replica", [&] { return store.get_from_replica(key); });
  make("get_all_from_replica", [&] { return store.get_all_from_replica("caller", "full"); });
  make("diagnose", [&] { return store.diagnose(); });
  std::vector<TimedCall> outcomes;
  for (auto& call : calls) outcomes.push_back(call.get());
  return outcomes;
}

void expect_in_time(const TimedCall& outcome) { EXPECT_LT(outcome.took, much_too_long) << outcome.call; }

/// Ends a flood that a call would never come out of, so that the test fails instead of hanging.
class Watchdog {
 public:
  explicit Watchdog(FaultProxy& proxy) : Watchdog([&proxy] { proxy.heal(); }) {}
  explicit Watchdog(std::function<void()> end) : end_(std::move(end)) {}

 private:
  void watch(const std::stop_token& stop) {
    const auto give_up = std::chrono::steady_clock::now() + 2 * much_too_long;
    while (!stop.stop_requested()) {
      if (std::chrono::steady_clock::now() > give_up) return end_();
      std::this_thread::sleep_for(milliseconds(20));
    }
  }

  const std::function<void()> end_;
  std::jthread thread_{[this](const std::stop_token& stop) { watch(stop); }};
};

enum class DeadlineWire { plain, tls };

class Flooded : public ::testing::TestWithParam<std::tuple<StoreOnServer, DeadlineWire, Flood>> {
 protected:
  RedisStoreOptions options() {
    auto options = options_for(server);
    options.connection = proxy.tcp_connection();
    if (std::get<DeadlineWire>(GetParam()) == DeadlineWire::tls)
      options.connection = front.emplace(proxy.connection().unix_socket).connection();
    options.timeouts = hurried;
    options.max_reply_bytes = no_limit;
    return options;
  }

  /// Begins now, for connections that stand and new ones.
  void begin() {
    const auto& flood = std::get<Flood>(GetParam());
    proxy.always(flood.fault, flood.word);
    if (!flood.word.empty()) server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  }

  const StoreOnServer place = std::get<StoreOnServer>(GetParam());
  TestServer server{place.server};
  FaultProxy proxy{server};
  std::optional<TlsFront> front;
};

TEST_P(Flooded, EveryCallEndsByItsDeadlineAndTheStoreWorksAgainAfterwards) {
  TestedStore store(place.store, options());
  ASSERT_TRUE(comes_to_work(store));
  {
    const Watchdog watchdog(proxy);
    begin();
    for (const auto& outcome : make_all_calls(store)) expect_in_time(outcome);
    for (const auto& outcome : make_other_calls(store)) expect_in_time(outcome);
    EXPECT_GT(proxy.faults(), 0U);
  }
  proxy.heal();
  EXPECT_TRUE(comes_to_work(store));
}

INSTANTIATE_TEST_SUITE_P(By, Flooded,
                         ::testing::Combine(::testing::ValuesIn(all_stores_once()),
                                            ::testing::Values(DeadlineWire::plain, DeadlineWire::tls),
                                            ::testing::ValuesIn(floods())),
                         [](const auto& parameter) {
                           const auto way =
                               std::get<DeadlineWire>(parameter.param) == DeadlineWire::tls ? "_OverTls_" : "_";
                           return std::get<Flood>(parameter.param).name + way +
                                  name_of(std::get<StoreOnServer>(parameter.param));
                         });

class FloodTest : public TestedStoreTest {
 protected:
  RedisStoreOptions options() const {
    auto options = options_for(server);
    options.connection = proxy.tcp_connection();
    options.timeouts = hurried;
    options.max_reply_bytes = no_limit;
    return options;
  }

  void kill_connections() const { server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}); }

  FaultProxy proxy{server};
};

TEST_P(FloodTest, EndsForEveryCallerOfABatch) {
  auto crowded = options();
  crowded.pool = {.size = 1, .max_overflow = 0};
  auto store = tested_store(crowded);
  const Watchdog watchdog(proxy);
  proxy.always(Fault::push_without_end());
  std::vector<std::future<TimedCall>> calls;
  for (int i = 0; i < 32; ++i) {
    calls.push_back(std::async(std::launch::async, [&store] {
      return timed("get", [&] { return store.get({.user_id = "user", .id = "session"}); });
    }));
  }
  for (auto& call : calls) {
    const auto outcome = call.get();
    expect_in_time(outcome);
    EXPECT_TRUE(outcome.code);
  }
}

TEST_P(FloodTest, EndsForDeletesThatWaitForReplicas) {
  const ReplicatedServer servers(GetParam().server);
  FaultProxy primary(servers.primary);
  auto durable = options();
  durable.connection = primary.tcp_connection();
  durable.delete_durability = {.replicas = 1, .timeout = milliseconds(100)};
  auto store = tested_store(durable);
  const Watchdog watchdog(primary);
  const SessionKey key{.user_id = "user", .id = "session"};
  for (const auto* word : {"HDEL", "UNLINK", "FCALL", "WAIT"}) {
    primary.always(Fault::push_without_end(), word);
    expect_in_time(timed("delete_one", [&] { return store.delete_one(key); }));
    expect_in_time(timed("delete_all", [&] { return store.delete_all("user", "full"); }));
    expect_in_time(timed("delete_others", [&] { return store.delete_others(key); }));
  }
}

/// Both stores connect alike.
class FloodOfAConnect : public FloodTest {};

TEST_P(FloodOfAConnect, EndsForAStoreThatConnects) {
  const Watchdog watchdog(proxy);
  for (const auto* word : {"HELLO", "FUNCTION"}) {
    server.command({"FUNCTION", "FLUSH"});
    proxy.always(Fault::push_without_end(), word);
    const auto outcome = timed(word, [&] { return RedisStore::connect(options()); });
    expect_in_time(outcome);
    EXPECT_TRUE(outcome.code) << word;
  }
}

TEST_P(FloodTest, EndsForTheNearCache) {
  auto cached = options();
  cached.near_cache = {.enabled = true, .max_staleness = milliseconds(300)};
  std::optional<TestedStore> store(tested_store(cached));
  const Watchdog watchdog(proxy);
  for (const auto& [fault, word] : {std::pair{Fault::push_without_end(), "HELLO"},
                                    std::pair{Fault::flood(">2\r\n+invalidate\r\n*1\r\n+key\r\n"), "CLIENT"}}) {
    const auto before = proxy.faults();
    proxy.always(fault, word);
    kill_connections();
    EXPECT_TRUE(proxy.await_faults(before + 1)) << word << ": the listening connection was not made anew";
    expect_in_time(timed("get", [&] { return store->get({.user_id = "user", .id = "session"}); }));
  }
  const auto start = std::chrono::steady_clock::now();
  store.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, much_too_long);
}

TEST_P(FloodOfAConnect, EndsForQuestionsToSentinels) {
  const Watchdog watchdog(proxy);
  proxy.follow([](std::string_view word) {
    if (word == "SENTINEL") return Fault::push_without_end();
    return word == "HELLO" ? Fault::garbage("%1\r\n+mode\r\n+sentinel\r\n") : Fault{};
  });
  auto watched = options();
  watched.connection = {};
  watched.connection.sentinel = {.primary_name = "primary",
                                 .sentinels = {{.host = "127.0.0.1", .port = proxy.tcp_connection().port},
                                               {.host = "127.0.0.1", .port = proxy.tcp_connection().port}}};
  const auto outcome = timed("connect", [&] { return RedisStore::connect(watched); });
  expect_in_time(outcome);
  EXPECT_TRUE(outcome.code);
  EXPECT_GE(proxy.faults(), 2U);
}

TEST_P(FloodOfAConnect, EndsForQuestionsToAClustersNodes) {
  const Watchdog watchdog(proxy);
  proxy.always(Fault::push_without_end(), "CLUSTER");
  auto clustered = options();
  clustered.connection = {};
  clustered.connection.cluster.seeds = {{.host = "127.0.0.1", .port = proxy.tcp_connection().port}};
  const auto outcome = timed("connect", [&] { return RedisStore::connect(clustered); });
  expect_in_time(outcome);
  EXPECT_TRUE(outcome.code);
  EXPECT_GE(proxy.faults(), 1U);
}

TEST_P(FloodTest, EndsForReadsFromReplicas) {
  ReplicatedServer servers(GetParam().server);
  FaultProxy replica(servers.replica);
  const auto port = std::to_string(replica.tcp_connection().port);
  servers.replica.command({"CONFIG", "SET", "replica-announce-ip", "127.0.0.1"});
  servers.replica.command({"CONFIG", "SET", "replica-announce-port", port});
  servers.primary.command({"CLIENT", "KILL", "TYPE", "replica"});
  await("the replica to follow under its new address", [&] {
    return servers.primary.command({"INFO", "replication"}).text.contains("port=" + port + ",state=online");
  });
  auto reading = options_for(servers.primary.connection());
  reading.timeouts = hurried;
  reading.max_reply_bytes = no_limit;
  reading.replica_reads = {.enabled = true, .max_lag = seconds(30)};
  auto store = tested_store(reading);
  const Watchdog watchdog(replica);
  for (const auto* word : {"HELLO", "HGET"}) {
    replica.always(Fault::push_without_end(), word);
    const auto start = std::chrono::steady_clock::now();
    await("a replica to be asked", [&] {
      expect_in_time(
          timed("get_from_replica", [&] { return store.get_from_replica({.user_id = "user", .id = "session"}); }));
      return replica.faults() > 0;
    });
    EXPECT_LT(std::chrono::steady_clock::now() - start, 2 * much_too_long);
  }
}

TEST_P(FloodTest, OfSessionTicketsEndsForEveryCaller) {
  TlsFront front(proxy.connection().unix_socket);
  auto encrypted = options();
  encrypted.connection = front.connection();
  auto store = tested_store(encrypted);
  const Watchdog watchdog([&front] { front.send_tickets(false); });
  front.send_tickets(true);
  for (const auto& outcome : make_all_calls(store)) {
    expect_in_time(outcome);
    EXPECT_TRUE(outcome.code) << outcome.call;
  }
  front.send_tickets(false);
  EXPECT_TRUE(comes_to_work(store));
}

OBOL_ON_STORES(FloodTest, all_stores_once());
OBOL_ON_STORES(FloodOfAConnect, blocking_stores());

}}  // namespace obol::testing
