// Both adapters on stores that work with real servers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "metrics/recording_meter.hpp"
#include "obol/metrics/opentelemetry.hpp"
#include "obol/metrics/prometheus.hpp"
#include "obol/observer_list.hpp"
#include "obol/session_id.hpp"
#include "obol/session_watch.hpp"
#include "support/await.hpp"
#include "support/metric_points.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

class StoreScrapeTest : public ServerTest {
 protected:
  RedisStore connected(RedisStoreOptions options) const {
    auto store = RedisStore::connect(std::move(options)).value();
    metrics->watch(store.statistics_source());
    return store;
  }
  RedisStore connected() const { return connected(options_for(server, metrics)); }

  std::uint64_t calls(std::string_view operation, std::string_view outcome) const {
    const auto system = GetParam() == ServerKind::valkey ? "valkey" : "redis";
    std::string labels = "db.system.name=";
    labels.append(system).append(" db.operation.name=").append(operation).append(" obol.outcome=").append(outcome);
    const auto values = values_of(*metrics, "db.client.operation.duration");
    const auto found = values.find(labels);
    return found == values.end() ? 0 : found->second;
  }
  std::uint64_t value(std::string_view metric, const std::string& labels = {}) const {
    const auto values = values_of(*metrics, metric);
    const auto found = values.find(labels);
    return found == values.end() ? 0 : found->second;
  }

  std::shared_ptr<PrometheusMetrics> metrics = std::make_shared<PrometheusMetrics>();
};

TEST_P(StoreScrapeTest, CountsEachCallOnceByOperationAndOutcome) {
  auto store = connected();
  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  auto late = session;
  ASSERT_TRUE(store.get(session.key()).value().has_value());
  ASSERT_FALSE(store.get({.user_id = "user", .id = "another"}).value().has_value());
  ASSERT_TRUE(store.upsert(session).has_value());
  ASSERT_EQ(store.upsert(late).error().code, ErrorCode::conflict);
  const std::array keys{session.key(), session.key()};
  ASSERT_TRUE(store.get_many(keys).has_value());
  ASSERT_TRUE(store.rotate_id(session).has_value());
  ASSERT_TRUE(store.get_all("user", "full").has_value());
  ASSERT_TRUE(store.delete_others(session.key()).has_value());
  ASSERT_TRUE(store.delete_one(session.key()).has_value());
  ASSERT_EQ(store.upsert(session).error().code, ErrorCode::gone);
  ASSERT_TRUE(store.delete_all("user", "full").has_value());
  ASSERT_EQ(store.get({.user_id = {}, .id = "x"}).error().code, ErrorCode::invalid_argument);

  EXPECT_EQ(calls("create", "done"), 1U);
  EXPECT_EQ(calls("get", "found"), 1U);
  EXPECT_EQ(calls("get", "absent"), 1U);
  EXPECT_EQ(calls("get", "failed error.type=invalid_argument"), 1U);
  EXPECT_EQ(calls("update", "done"), 1U);
  EXPECT_EQ(calls("update", "failed error.type=conflict"), 1U);
  EXPECT_EQ(calls("update", "failed error.type=gone"), 1U);
  EXPECT_EQ(calls("get_many", "done"), 1U);
  EXPECT_EQ(calls("rotate_id", "done"), 1U);
  EXPECT_EQ(calls("get_all", "done"), 1U);
  EXPECT_EQ(calls("delete_others", "done"), 1U);
  EXPECT_EQ(calls("delete_one", "done"), 1U);
  EXPECT_EQ(calls("delete_all", "done"), 1U);
  EXPECT_EQ(value("obol.session.events", "obol.session.event=conflict"), 1U);
  EXPECT_EQ(value("obol.session.events", "obol.session.event=gone"), 1U);
  EXPECT_EQ(value("obol.functions.loaded"), 1U);
  EXPECT_THAT(values_of(*metrics, "obol.findings"),
              Contains(Pair("obol.finding.severity=warning obol.finding.topic=persistence", 1)));
}

TEST_P(StoreScrapeTest, TellsHitsOfTheNearCacheApart) {
  auto options = options_for(server, metrics);
  options.near_cache.enabled = true;
  auto store = connected(std::move(options));
  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  // The server may tell of the write after it was read back and kept: what is kept then is kept by a later read.
  await("a session to be kept", [&] {
    store.get(session.key()).value().value();
    return calls("get", "found_near") > 0 && value("obol.near_cache.in_use") == 1 &&
           value("obol.near_cache.sessions") == 1 && value("obol.near_cache.size") > 100;
  });
  EXPECT_EQ(value("obol.near_cache.lookups", "obol.near_cache.result=hit"), calls("get", "found_near"));
  EXPECT_EQ(value("obol.near_cache.lookups", "obol.near_cache.result=miss"), calls("get", "found"));
}

TEST_P(StoreScrapeTest, NamesOnlyKeysOfTheKeyring) {
  auto store = connected();
  const auto stored_by = [&](const SigningKey& key) {
    auto options = options_for(server);
    options.keyring = Keyring(key);
    auto session = new_session("user", generate_session_id().value());
    EXPECT_TRUE(RedisStore::connect(options).value().upsert(session).has_value());
    return session;
  };
  const auto forged = stored_by(SigningKey::from_bytes(std::string(32, 'f'), signing_key().id()).value());
  const auto foreign = stored_by(SigningKey::from_bytes(std::string(32, 'f'), "made-up by somebody").value());
  ASSERT_FALSE(server.command({"HSET", "obol_{user}:full", "junk", "junk"}).is_error());
  EXPECT_FALSE(store.get(forged.key()).value().has_value());
  EXPECT_FALSE(store.get(foreign.key()).value().has_value());
  EXPECT_FALSE(store.get({.user_id = "user", .id = "junk"}).value().has_value());
  const auto values = values_of(*metrics, "obol.verification.failures");
  EXPECT_THAT(
      values,
      Contains(Pair("obol.verification.reason=bad_signature obol.key.id=" + printable_key_id(signing_key().id()), 1)));
  EXPECT_THAT(values, Contains(Pair("obol.verification.reason=unknown_key obol.key.id=unknown", 1)));
  EXPECT_THAT(values, Contains(Pair("obol.verification.reason=malformed obol.key.id=unknown", 1)));
  EXPECT_EQ(values.size(), 6U);
}

TEST_P(StoreScrapeTest, SeesConnectionsComeAndGo) {
  auto options = options_for(server, metrics);
  options.timeouts.connect = options.timeouts.total = std::chrono::milliseconds(2000);
  const auto maximum = options.pool.size + options.pool.max_overflow;
  auto store = connected(std::move(options));
  EXPECT_EQ(value("db.client.connection.count", "db.client.connection.state=idle"), 1U);
  EXPECT_EQ(value("db.client.connection.count", "db.client.connection.state=used"), 0U);
  EXPECT_EQ(value("db.client.connection.max"), maximum);
  EXPECT_EQ(store.pool_statistics().opened, 1U);
  server.stop();
  EXPECT_FALSE(store.get({.user_id = "user", .id = "x"}).has_value());
  EXPECT_EQ(value("db.client.connection.count", "db.client.connection.state=idle"), 0U);
  EXPECT_GE(value("obol.connection.failures"), 1U);
  EXPECT_EQ(value("obol.connection.closed"), 1U);
  server.start();
  await("the server to be back", [&] { return store.get({.user_id = "user", .id = "x"}).has_value(); });
  EXPECT_GE(value("obol.connection.opened"), 2U);
  EXPECT_EQ(value("obol.connection.opened"), store.pool_statistics().opened);
}

TEST_P(StoreScrapeTest, CountsConnectionsInUseAndCallsThatWait) {
  auto options = options_for(server, metrics);
  options.pool = {.size = 1, .max_overflow = 0};
  auto store = connected(std::move(options));
  server.signal(SIGSTOP);
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 3; ++i) callers.emplace_back([&] { (void)store.get({.user_id = "user", .id = "x"}); });
    await("two calls to wait", [&] { return value("db.client.connection.pending_requests") == 2; });
    EXPECT_EQ(value("db.client.connection.count", "db.client.connection.state=used"), 1U);
    server.signal(SIGCONT);
  }
  EXPECT_EQ(value("db.client.connection.pending_requests"), 0U);
}

TEST_P(StoreScrapeTest, SamplesASessionWatchUntilItIsClosed) {
  auto store = connected();
  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  auto watch = SessionWatch::connect(options_for(server)).value();
  metrics->watch(watch.statistics_source());
  const auto handle = watch.watch(session.key(), [](const SessionWatchEvent&) {}).value();
  await("a watched session", [&] {
    return value("obol.session_watch.sessions", "obol.session_watch.status=live") == 1 &&
           value("obol.session_watch.reads") > 0;
  });
  EXPECT_EQ(value("obol.session_watch.users"), 1U);
  EXPECT_EQ(value("obol.session_watch.connection.opened"), 1U);
  ASSERT_TRUE(store.delete_one(session.key()).has_value());
  await("its end", [&] { return value("obol.session_watch.ends") == 1; });
  EXPECT_EQ(value("obol.session_watch.sessions", "obol.session_watch.status=live"), 0U);
  auto moved = std::move(watch);
  EXPECT_EQ(value("obol.session_watch.ends"), 1U);
  moved.close();
  EXPECT_THAT(values_of(*metrics, "obol.session_watch.ends"), IsEmpty());
  EXPECT_THAT(values_of(*metrics, "db.client.connection.count"), Not(IsEmpty())) << "the store is open";
}

TEST_P(StoreScrapeTest, ScrapesMeetMovesClosesAndDestructions) {
  const auto provider = std::make_shared<RecordingMeterProvider>();
  const auto telemetry = std::make_shared<OpenTelemetryMetrics>(
      StoreMetricsOptions{},
      OpenTelemetryMetrics::MeterProvider(std::shared_ptr<otel::metrics::MeterProvider>(provider)));
  auto options =
      options_for(server, std::make_shared<ObserverList>(std::vector<std::shared_ptr<Observer>>{metrics, telemetry}));
  options.near_cache.enabled = true;
  std::atomic<std::size_t> scrapes{0};
  const std::jthread scraper([&](const std::stop_token& stop) {
    for (; !stop.stop_requested(); ++scrapes) {
      (void)metrics->Collect();
      (void)provider->meter->collect();
    }
  });
  for (int i = 0; i < 10; ++i) {
    auto store = connected(options);
    telemetry->watch(store.statistics_source());
    auto moved = std::move(store);
    const auto watch = SessionWatch::connect(options).value();
    metrics->watch(watch.statistics_source());
    telemetry->watch(watch.statistics_source());
    auto session = new_session("user", generate_session_id().value());
    EXPECT_TRUE(moved.upsert(session).has_value());
    for (const auto seen = scrapes.load(); scrapes < seen + 2;) std::this_thread::yield();
    if (i % 2 == 0) moved.close();
  }
  EXPECT_THAT(values_of(*metrics, "db.client.connection.count"), IsEmpty());
  EXPECT_THAT(values_of(*metrics, "obol.session_watch.users"), IsEmpty());
  EXPECT_EQ(calls("create", "done"), 10U);
  EXPECT_EQ(provider->meter->recorded().at("db.client.operation.duration").durations.size(), 10U);
}

OBOL_ON_BOTH_SERVERS(StoreScrapeTest);

}}  // namespace obol::testing
