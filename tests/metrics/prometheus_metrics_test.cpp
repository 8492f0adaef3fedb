// A store's metrics as Prometheus gets them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <string>

#include "obol/metrics/prometheus.hpp"

namespace obol::testing { namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string scraped(const PrometheusMetrics& metrics) {
  return ::prometheus::TextSerializer().Serialize(metrics.Collect());
}

TEST(PrometheusMetrics, NamesMetricsByPrometheusRules) {
  EXPECT_EQ(prometheus_name({.name = "db.client.operation.duration", .unit = "s", .kind = InstrumentKind::histogram}),
            "db_client_operation_duration_seconds");
  EXPECT_EQ(prometheus_name({.name = "obol.near_cache.size", .unit = "By", .kind = InstrumentKind::up_down_counter}),
            "obol_near_cache_size_bytes");
  EXPECT_EQ(prometheus_name({.name = "obol.session.events", .unit = "{event}", .kind = InstrumentKind::counter}),
            "obol_session_events_total");
}

TEST(PrometheusMetrics, WritesCumulativeBucketsInSeconds) {
  PrometheusMetrics metrics;
  metrics.on_call(
      {.operation = Operation::get, .outcome = CallOutcome::found, .duration = std::chrono::microseconds(3)});
  metrics.on_call({.operation = Operation::get, .outcome = CallOutcome::found, .duration = std::chrono::seconds(20)});
  const auto text = scraped(metrics);
  const std::string labels =
      R"(db_system_name="redis",db_operation_name="get",obol_outcome="found",db_client_connection_pool_name="obol")";
  EXPECT_THAT(text, HasSubstr("# TYPE db_client_operation_duration_seconds histogram\n"));
  EXPECT_THAT(text, HasSubstr("db_client_operation_duration_seconds_count{" + labels + "} 2\n"));
  EXPECT_THAT(text, HasSubstr("db_client_operation_duration_seconds_sum{" + labels + "} 20.000003"));
  EXPECT_THAT(text, HasSubstr("_bucket{" + labels + ",le=\"5e-06\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("_bucket{" + labels + ",le=\"10\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("_bucket{" + labels + ",le=\"+Inf\"} 2\n"));
}

TEST(PrometheusMetrics, WritesCountersAndGauges) {
  PrometheusMetrics metrics({.store_name = "sessions"});
  metrics.on_conflict({});
  metrics.watch([] { return StoreStatistics{.pool = {.idle = 3}}; });
  const auto text = scraped(metrics);
  EXPECT_THAT(text, HasSubstr("# TYPE obol_session_events_total counter\n"));
  EXPECT_THAT(text, HasSubstr(R"(obol_session_events_total{obol_session_event="conflict",)"
                              R"(db_client_connection_pool_name="sessions"} 1)"));
  EXPECT_THAT(text, HasSubstr("# TYPE db_client_connection_count gauge\n"));
  EXPECT_THAT(text, HasSubstr(R"(db_client_connection_count{db_client_connection_state="idle",)"
                              R"(db_client_connection_pool_name="sessions"} 3)"));
}

TEST(PrometheusMetrics, WritesWatchedSessions) {
  PrometheusMetrics metrics;
  metrics.watch([] { return SessionWatchStatistics{.watched = 5, .unknown = 1, .ended = 2}; });
  const auto text = scraped(metrics);
  EXPECT_THAT(text, HasSubstr("# TYPE obol_session_watch_sessions gauge\n"));
  EXPECT_THAT(text, HasSubstr(R"(obol_session_watch_sessions{obol_session_watch_status="unknown",)"
                              R"(db_client_connection_pool_name="obol"} 1)"));
  EXPECT_THAT(text, HasSubstr("obol_session_watch_ends_total{db_client_connection_pool_name=\"obol\"} 2"));
}

TEST(PrometheusMetrics, LeavesOutWhatHasNoPoint) {
  EXPECT_THAT(scraped(PrometheusMetrics()), Not(HasSubstr("db_client_connection_count")));
}

}}  // namespace obol::testing
