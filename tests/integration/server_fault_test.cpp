// What a store promises while its server is killed, stopped, paused, full, busy, misconfigured or demoted.
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <thread>

#include "redis/connection/dialer.hpp"
#include "support/await.hpp"
#include "support/descriptors.hpp"
#include "support/store_calls.hpp"
#include "support/tested_store.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Timeouts hurried{.connect = milliseconds(200), .command = milliseconds(200), .total = milliseconds(600)};
constexpr Timeouts patient{.connect = seconds(2), .command = seconds(2), .total = seconds(30)};

/// Far below `patient.total`, and enough for a loaded machine.
constexpr seconds at_once{8};

bool is_failure_to_reach(std::error_code code) {
  return code == ErrorCode::timeout || code == ErrorCode::unavailable || code == ErrorCode::pool_timeout;
}

void expect_in_time(const TimedCall& outcome) { EXPECT_LT(outcome.took, seconds(10)) << outcome.call; }

void expect_all_fail_in_time(SessionStore& store) {
  for (const auto& outcome : make_all_calls(store)) {
    EXPECT_TRUE(is_failure_to_reach(outcome.code)) << outcome.call << ": " << outcome.message;
    expect_in_time(outcome);
  }
}

class ServerFault : public TestedStoreTest {
 protected:
  TestedStore store_with(const Timeouts& timeouts) {
    auto options = options_for(server, observer);
    options.timeouts = timeouts;
    return tested_store(options);
  }

  /// By a store that has more patience.
  Session created() {
    auto store = store_on(server);
    return created(store);
  }

  Session created(SessionStore& store, std::string user = "user", std::string id = "session") {
    auto session = new_session(std::move(user), std::move(id));
    const auto outcome = store.upsert(session);
    EXPECT_TRUE(outcome.has_value()) << outcome.error().message;
    return session;
  }

  void set(std::string_view option, std::string_view value) {
    const auto reply = server.command({"CONFIG", "SET", option, value});
    ASSERT_FALSE(reply.is_error()) << reply.text;
  }

  void kill_connections() { server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}); }

  std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();
};

/// Of what differs between functions and scripts.
using FunctionsOfAFaultyServer = ServerFault;

/// Callers that never rest, each on a session of its own, and what they met.
class Traffic {
 public:
  explicit Traffic(SessionStore& store) {
    for (int caller = 0; caller < 8; ++caller) {
      threads_.emplace_back([this, &store, user = "caller " + std::to_string(caller)] { live(store, user); });
    }
  }

  ~Traffic() { stop(); }
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  void stop() {
    stopping_ = true;
    threads_.clear();
  }

  /// Returns when so many more calls have succeeded; false after twenty seconds.
  bool goes_on(int calls = 100) const {
    const int goal = succeeded_ + calls;
    const auto give_up = std::chrono::steady_clock::now() + seconds(20);
    while (succeeded_ < goal && std::chrono::steady_clock::now() < give_up) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    return succeeded_ >= goal;
  }

  /// Returns when a call has failed since this object began; false after twenty seconds.
  bool has_met_a_failure() const {
    const auto give_up = std::chrono::steady_clock::now() + seconds(20);
    while (failed_ == 0 && std::chrono::steady_clock::now() < give_up) std::this_thread::sleep_for(milliseconds(1));
    return failed_ > 0;
  }

  int failed() const { return failed_; }
  int foreign() const { return foreign_; }
  std::chrono::milliseconds longest() const { return std::chrono::milliseconds(longest_); }

 private:
  void live(SessionStore& store, const std::string& user) {
    auto session = new_session(user, user);
    while (!stopping_) {
      const auto start = std::chrono::steady_clock::now();
      auto code = code_of(store.upsert(session));
      if (code == ErrorCode::gone || code == ErrorCode::conflict) {
        session.lock_version = 0;  // Lost with the server, or written by a call that was told it is unknown.
        code = code_of(store.delete_one(session.key()));
      }
      if (!code) {
        const auto found = store.get(session.key());
        if (found && *found && (*found)->user_id != user) ++foreign_;
        code = code_of(found);
      }
      ++(code ? failed_ : succeeded_);
      note(std::chrono::steady_clock::now() - start);
    }
  }

  void note(std::chrono::steady_clock::duration took) {
    const auto span = std::chrono::duration_cast<milliseconds>(took).count();
    auto longest = longest_.load();
    while (span > longest && !longest_.compare_exchange_weak(longest, span)) {
    }
  }

  std::atomic<bool> stopping_ = false;
  std::atomic<int> succeeded_ = 0;
  std::atomic<int> failed_ = 0;
  std::atomic<int> foreign_ = 0;
  std::atomic<milliseconds::rep> longest_ = 0;
  std::vector<std::jthread> threads_;
};

// ---- gone and back

TEST_P(ServerFault, KilledAndRestartedEmptyUnderTrafficIsUsedAgainAndGivenItsFunctions) {
  auto store = store_with(hurried);
  Traffic traffic(store);
  ASSERT_TRUE(traffic.goes_on());
  server.stop();
  EXPECT_TRUE(traffic.has_met_a_failure());
  server.start();
  EXPECT_TRUE(traffic.goes_on());
  traffic.stop();
  EXPECT_TRUE(comes_to_work(store));
  EXPECT_GE(observer->count("functions_loaded"), 2U);
  EXPECT_LT(traffic.longest(), seconds(10));
}

TEST_P(ServerFault, StoppedUnderTrafficFailsCallsInTimeAndAnswersNobodyElseWhenItGoesOn) {
  auto store = store_with(hurried);
  Traffic traffic(store);
  ASSERT_TRUE(traffic.goes_on());
  server.signal(SIGSTOP);
  EXPECT_TRUE(traffic.has_met_a_failure());
  expect_all_fail_in_time(store);
  server.signal(SIGCONT);
  EXPECT_TRUE(traffic.goes_on());
  traffic.stop();
  EXPECT_EQ(traffic.foreign(), 0);
  EXPECT_EQ(observer->count("verification_failed"), 0U);
  EXPECT_LT(traffic.longest(), seconds(10));
}

TEST_P(ServerFault, KillingAllConnectionsAgainAndAgainFailsNoCall) {
  auto store = store_with(patient);
  Traffic traffic(store);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(traffic.goes_on());
    kill_connections();
  }
  ASSERT_TRUE(traffic.goes_on());
  traffic.stop();
  EXPECT_EQ(traffic.failed(), 0);
}

TEST_P(FunctionsOfAFaultyServer, AreGivenToItAgain) {
  auto store = store_with(patient);
  auto session = created(store);
  const auto other = created(store, "user", "other");
  lose_functions();
  EXPECT_FALSE(code_of(store.upsert(session)));
  lose_functions();
  EXPECT_FALSE(code_of(store.delete_others(session.key())));
  EXPECT_EQ(store.get_all("user", "full").value(), std::vector{session});
}

// ---- full

TEST_P(FunctionsOfAFaultyServer, RefuseWritesWithoutMemoryAtOnceAndStillLogOut) {
  auto store = store_with(patient);
  auto session = created(store);
  const auto other = created(store, "user", "other");
  set("maxmemory", "1");
  const auto start = std::chrono::steady_clock::now();
  auto another = new_session("user", "another");
  EXPECT_EQ(code_of(store.upsert(another)), ErrorCode::out_of_memory);
  EXPECT_EQ(code_of(store.upsert(session)), ErrorCode::out_of_memory);
  EXPECT_LT(std::chrono::steady_clock::now() - start, at_once);
  EXPECT_FALSE(code_of(store.delete_others(session.key())));
  EXPECT_EQ(store.get_all("user", "full").value(), std::vector{session});
  EXPECT_FALSE(code_of(store.delete_one(session.key())));
  EXPECT_EQ(store.get(session.key()).value(), std::nullopt);
  EXPECT_FALSE(code_of(store.delete_all("user", "full")));
  set("maxmemory", "0");
  EXPECT_FALSE(live_a_session(store));
}

TEST_P(ServerFault, AtMaxmemoryEndsEveryTypeOfAnAccountAndLeavesItsMarks) {
  for (const auto lifetime : {seconds(0), seconds(60)}) {
    auto options = options_for(server, observer);
    options.policy.revocation_mark_lifetime = lifetime;
    auto store = connected(options);
    auto session = new_session("user " + std::to_string(lifetime.count()));
    session.created_at -= seconds(10);
    auto pending = session;
    pending.type = "pending";
    for (auto* one : {&session, &pending}) ASSERT_FALSE(code_of(store.upsert(*one)));
    set("maxmemory", "1");
    EXPECT_FALSE(code_of(store.delete_all(session.user_id, {"full", "pending"})));
    for (const auto* one : {&session, &pending}) EXPECT_EQ(store.get(one->key()).value(), std::nullopt);
    set("maxmemory", "0");
    for (auto* one : {&session, &pending}) {
      one->lock_version = 0;
      EXPECT_EQ(code_of(store.upsert(*one)),
                lifetime > seconds(0) ? make_error_code(ErrorCode::revoked) : std::error_code());
    }
  }
}

TEST_P(ServerFault, AtMaxclientsFailsInTimeAndIsUsedOnceThereIsRoom) {
  auto store = store_with(hurried);
  const auto soon = redis::Deadline::after(seconds(60));
  auto control = redis::Dialer(server.connection(), 1 << 20).dial(soon).value();
  const std::string limit(control.call({"CONFIG", "GET", "maxclients"}, soon)->elements.at(1).text);
  control.call({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}, soon).value();
  ASSERT_FALSE(control.call({"CONFIG", "SET", "maxclients", "1"}, soon)->is_error());
  expect_all_fail_in_time(store);
  ASSERT_FALSE(control.call({"CONFIG", "SET", "maxclients", limit}, soon)->is_error());
  EXPECT_TRUE(comes_to_work(store));
}

// ---- paused and busy

TEST_P(ServerFault, PausedForWritesFailsThemInTimeAndServesReads) {
  // Reads that flew together with writes are made again once those are given up.
  auto store = store_with({.connect = seconds(2), .command = milliseconds(300), .total = milliseconds(2500)});
  const auto session = created();
  server.command({"CLIENT", "PAUSE", "60000", "WRITE"});
  for (const auto& outcome : make_all_calls(store)) {
    const bool reads = outcome.call.starts_with("get");
    EXPECT_EQ(is_failure_to_reach(outcome.code), !reads) << outcome.call << ": " << outcome.message;
    expect_in_time(outcome);
  }
  EXPECT_EQ(store.get(session.key()).value(), session);
  server.command({"CLIENT", "UNPAUSE"});
  EXPECT_TRUE(comes_to_work(store));
}

TEST_P(ServerFault, PausedForAllFailsEveryCallInTime) {
  auto store = store_with(hurried);
  server.command({"CLIENT", "PAUSE", "60000", "ALL"});
  expect_all_fail_in_time(store);
  server.stop();  // No client, not even one that would end the pause, is heard.
  server.start();
  EXPECT_TRUE(comes_to_work(store));
}

TEST_P(ServerFault, BusyWithAScriptFailsInTimeAndIsUsedOnceItHasEnded) {
  auto store = store_with(hurried);
  set("busy-reply-threshold", "1");
  std::jthread script([this] {
    try {
      server.command({"EVAL", "local x while x == nil do end", "0"});
    } catch (const std::runtime_error&) {  // It waits ten seconds for the answer.
    }
  });
  await("the script to run", [&] { return server.command({"PING"}).error_word() == "BUSY"; });
  expect_all_fail_in_time(store);
  server.command({"SCRIPT", "KILL"});
  script.join();
  EXPECT_TRUE(comes_to_work(store));
}

// ---- that refuses

TEST_P(ServerFault, WithAChangedPasswordIsAuthAtOnceUntilTheOldOneIsBack) {
  const auto set_password = [](const ConnectionOptions& as, std::string_view password) {
    const auto soon = redis::Deadline::after(seconds(10));
    auto control = redis::Dialer(as, 1 << 20).dial(soon).value();
    ASSERT_FALSE(control.call({"CONFIG", "SET", "requirepass", password}, soon)->is_error());
    control.call({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}, soon).value();
  };
  set_password(server.connection(), "old");
  auto options = options_for(server);
  options.connection.password = "old";
  auto store = tested_store(options);
  ASSERT_FALSE(live_a_session(store));

  set_password(options.connection, "new");
  for (const auto& outcome : make_all_calls(store)) {
    EXPECT_EQ(outcome.code, ErrorCode::auth) << outcome.call << ": " << outcome.message;
    EXPECT_LT(outcome.took, at_once) << outcome.call;
  }
  auto renewed = options.connection;
  renewed.password = "new";
  set_password(renewed, "old");
  EXPECT_TRUE(comes_to_work(store));
}

void expect_writes_refused_at_once(SessionStore& store) {
  for (const auto& outcome : make_all_calls(store)) {
    const bool reads = outcome.call.starts_with("get");
    EXPECT_EQ(outcome.code, reads ? std::error_code{} : make_error_code(ErrorCode::server))
        << outcome.call << ": " << outcome.message;
    EXPECT_LT(outcome.took, at_once) << outcome.call;
  }
}

TEST_P(ServerFault, WithTooFewReplicasRefusesWritesAtOnceAndServesReads) {
  auto store = store_with(patient);
  set("min-replicas-to-write", "1");
  expect_writes_refused_at_once(store);
  set("min-replicas-to-write", "0");
  EXPECT_TRUE(comes_to_work(store));
}

TEST_P(ServerFault, ThatCannotPersistRefusesWritesAtOnceAndServesReads) {
  auto store = store_with(patient);
  const auto dump = std::filesystem::path(server.socket_path()).parent_path() / "dump.rdb";
  std::filesystem::create_directory(dump);  // No file can take its place, so every snapshot fails.
  set("save", "100000 100000");
  const auto has_failed = [&] {
    return server.command({"INFO", "persistence"}).text.find("rdb_last_bgsave_status:err") != std::string::npos;
  };
  server.command({"BGSAVE"});
  await("the snapshot to fail", has_failed);
  expect_writes_refused_at_once(store);
  set("save", "");
  EXPECT_TRUE(comes_to_work(store));
}

TEST_P(ServerFault, DemotedUnderLiveConnectionsFailsWritesUntilItIsPrimaryAgain) {
  auto store = store_with(hurried);
  created();
  server.command({"REPLICAOF", "127.0.0.1", "1"});
  for (const auto& outcome : make_all_calls(store)) {
    if (!outcome.call.starts_with("get")) {
      EXPECT_TRUE(is_failure_to_reach(outcome.code)) << outcome.call << ": " << outcome.message;
    }
    expect_in_time(outcome);
  }
  server.command({"REPLICAOF", "NO", "ONE"});
  EXPECT_TRUE(comes_to_work(store));
}

// ---- no descriptors

TEST_P(ServerFault, RunningOutOfDescriptorsIsAnErrorAndPasses) {
  auto store = store_with(hurried);
  const auto session = created();
  server.stop();
  expect_all_fail_in_time(store);  // So that the store holds no connection.
  server.start();
  {
    const NoDescriptors none;
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(is_failure_to_reach(code_of(store.get(session.key()))));
    EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(5));
  }
  EXPECT_TRUE(comes_to_work(store));
}

OBOL_ON_STORES(ServerFault, all_stores());
OBOL_ON_STORES(FunctionsOfAFaultyServer, stores_of_each_form());

// ---- loading

class LoadingServer : public ::testing::TestWithParam<StoreOnServer> {
 protected:
  /// Reads its data anew, at leisure, for six seconds or until `load_fast`; returns once it has begun.
  std::jthread load() {
    constexpr auto keys = 10'000;
    server.command({"DEBUG", "POPULATE", std::to_string(keys)});
    set_delay(std::chrono::microseconds(seconds(6)) / keys);
    std::jthread reload([this] { server.command({"DEBUG", "RELOAD"}); });
    await("the server to load", [this] { return is_loading(); });
    return reload;
  }

  void load_fast() { set_delay(seconds(0)); }
  void set_delay(std::chrono::microseconds of_each_key) {
    server.command({"CONFIG", "SET", "key-load-delay", std::to_string(of_each_key.count())});
  }

  bool is_loading() { return server.command({"GET", "key:0"}).error_word() == "LOADING"; }

  TestServer server{GetParam().server,
                    {"--enable-debug-command", "yes", "--loading-process-events-interval-bytes", "1024"}};
};

TEST_P(LoadingServer, IsWaitedForAsLongAsTheDeadlineAllows) {
  TestedStore store(GetParam().store, options_for(server));
  auto session = new_session();
  ASSERT_FALSE(code_of(store.upsert(session)));
  const auto reload = load();
  auto found = std::async(std::launch::async, [&] { return store.get(session.key()); });
  EXPECT_EQ(found.wait_for(milliseconds(500)), std::future_status::timeout);
  load_fast();
  EXPECT_EQ(found.get().value(), session);
}

TEST_P(LoadingServer, FailsCallsInTimeAndIsUsedOnceItHasLoaded) {
  auto options = options_for(server);
  options.timeouts = hurried;
  TestedStore store(GetParam().store, options);
  auto reload = load();
  expect_all_fail_in_time(store);
  EXPECT_TRUE(is_loading());
  load_fast();
  reload.join();
  EXPECT_TRUE(comes_to_work(store));
}

OBOL_ON_STORES(LoadingServer, all_stores());

}}  // namespace obol::testing
