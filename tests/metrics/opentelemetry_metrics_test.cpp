// A store's metrics as OpenTelemetry gets them, held against its real API.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <optional>

#include "metrics/recording_meter.hpp"
#include "obol/metrics/opentelemetry.hpp"

namespace obol::testing { namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class OpenTelemetryMetricsTest : public ::testing::Test {
 protected:
  OpenTelemetryMetricsTest() { metrics.emplace(StoreMetricsOptions{.store_name = "sessions"}, provider()); }

  OpenTelemetryMetrics::MeterProvider provider() const {
    return {std::shared_ptr<otel::metrics::MeterProvider>(recorder)};
  }

  std::shared_ptr<RecordingMeterProvider> recorder = std::make_shared<RecordingMeterProvider>();
  std::optional<OpenTelemetryMetrics> metrics;
};

TEST_F(OpenTelemetryMetricsTest, MakesEveryInstrumentWithItsKindAndUnit) {
  EXPECT_EQ(recorder->meter_name, "obol");
  const auto made = recorder->meter->recorded();
  ASSERT_EQ(made.size(), instruments().size());
  for (const auto& instrument : instruments()) {
    const auto& recorded = made.at(std::string(instrument.name));
    EXPECT_EQ(recorded.unit, instrument.unit) << instrument.name;
    EXPECT_EQ(recorded.kind, instrument.kind == InstrumentKind::counter     ? "counter"
                             : instrument.kind == InstrumentKind::histogram ? "histogram"
                                                                            : "up_down_counter")
        << instrument.name;
  }
}

TEST_F(OpenTelemetryMetricsTest, RecordsEachDurationAsTheCallEnds) {
  metrics->on_connection_opened({.server = "Valkey 9.1.2"});
  metrics->on_call(
      {.operation = Operation::get, .outcome = CallOutcome::found_near, .duration = std::chrono::microseconds(2)});
  metrics->on_call({.operation = Operation::update,
                    .outcome = CallOutcome::failed,
                    .error = ErrorCode::pool_timeout,
                    .duration = std::chrono::seconds(5)});
  EXPECT_THAT(recorder->meter->recorded().at("db.client.operation.duration").durations,
              ElementsAre(Pair(0.000002,
                               "db.client.connection.pool.name=sessions db.operation.name=get db.system.name=valkey "
                               "obol.outcome=found_near"),
                          Pair(5.0,
                               "db.client.connection.pool.name=sessions db.operation.name=update db.system.name=valkey "
                               "error.type=pool_timeout obol.outcome=failed")));
  EXPECT_THAT(recorder->meter->collect().at("db.client.connection.timeouts"),
              ElementsAre(Pair("db.client.connection.pool.name=sessions", 1)));
}

TEST_F(OpenTelemetryMetricsTest, ReportsCountsAndStatisticsWhenTheProviderCollects) {
  metrics->on_gone({});
  metrics->watch([] { return StoreStatistics{.pool = {.idle = 1, .used = 2}, .near_cache = {.hits = 3}}; });
  auto collected = recorder->meter->collect();
  EXPECT_EQ(collected["obol.session.events"]["db.client.connection.pool.name=sessions obol.session.event=gone"], 1);
  EXPECT_THAT(collected["db.client.connection.count"],
              ElementsAre(Pair("db.client.connection.pool.name=sessions db.client.connection.state=idle", 1),
                          Pair("db.client.connection.pool.name=sessions db.client.connection.state=used", 2)));
  EXPECT_EQ(collected["obol.near_cache.lookups"]["db.client.connection.pool.name=sessions obol.near_cache.result=hit"],
            3);
}

TEST_F(OpenTelemetryMetricsTest, ReportsWatchedSessions) {
  metrics->watch([] { return SessionWatchStatistics{.watched = 5, .unknown = 1, .ended = 2}; });
  auto collected = recorder->meter->collect();
  EXPECT_THAT(collected["obol.session_watch.sessions"],
              ElementsAre(Pair("db.client.connection.pool.name=sessions obol.session_watch.status=live", 4),
                          Pair("db.client.connection.pool.name=sessions obol.session_watch.status=unknown", 1)));
  EXPECT_THAT(collected["obol.session_watch.ends"], ElementsAre(Pair("db.client.connection.pool.name=sessions", 2)));
}

TEST_F(OpenTelemetryMetricsTest, IsNoLongerAskedOnceItIsDestroyed) {
  EXPECT_EQ(recorder->meter->callbacks(), instruments().size() - 1);
  metrics.reset();
  EXPECT_EQ(recorder->meter->callbacks(), 0U);
  EXPECT_THAT(recorder->meter->collect(), IsEmpty());
}

TEST(OpenTelemetryMetrics, NeedsNoProviderOfTheHosts) {
  OpenTelemetryMetrics metrics;
  metrics.on_call({});
  metrics.on_created({});
}

}}  // namespace obol::testing
