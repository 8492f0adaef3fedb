// A store's metrics for Prometheus, by prometheus-cpp. Link obol::prometheus.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "obol/export.hpp"
#include "obol/metrics/store_metrics.hpp"

namespace obol::inline v0 {

/// Observes a store and gives its metrics to prometheus-cpp. One for each store; give each a path of its own, or a
/// registry that tells them apart. Thread-safe; a scrape may meet the store's destruction.
///
///     auto metrics = std::make_shared<obol::PrometheusMetrics>();
///     options.observer = metrics;                      // ObserverList, where there are others
///     auto store = obol::RedisStore::connect(options);
///     metrics->watch(store->statistics_source());
///     exposer.RegisterCollectable(metrics);            // a prometheus::Exposer
class OBOL_EXPORT PrometheusMetrics final : public StoreMetrics, public ::prometheus::Collectable {
 public:
  /// With StoreMetricsOptions or none.
  using StoreMetrics::StoreMetrics;

  /// All of instruments(), but those without a point. Names are Prometheus' forms of OpenTelemetry's.
  std::vector<::prometheus::MetricFamily> Collect() const override;
};

/// The name of a metric in Prometheus: "db.client.operation.duration" is db_client_operation_duration_seconds.
/// Source: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
OBOL_EXPORT std::string prometheus_name(const Instrument& instrument);

}  // namespace obol::inline v0
