// Metrics of a store for Prometheus, with prometheus-cpp. Link obol::prometheus.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "obol/export.hpp"
#include "obol/metrics/store_metrics.hpp"

namespace obol { inline namespace v0 {

/// Observes a store and provides its metrics to prometheus-cpp. Use one object per store, each with its own path or
/// with a registry that distinguishes them. Thread-safe. A scrape may run while the store is destroyed.
///
///     auto metrics = std::make_shared<obol::PrometheusMetrics>();
///     options.observer = metrics;                      // ObserverList, where there are others
///     auto store = obol::RedisStore::connect(options);
///     metrics->watch(store->statistics_source());
///     exposer.RegisterCollectable(metrics);            // a prometheus::Exposer
class OBOL_EXPORT PrometheusMetrics final : public StoreMetrics, public ::prometheus::Collectable {
 public:
  /// Takes optional StoreMetricsOptions.
  using StoreMetrics::StoreMetrics;

  /// Returns all instruments() that have points. Names follow OpenTelemetry's rules for Prometheus.
  std::vector<::prometheus::MetricFamily> Collect() const override;
};

/// Returns the name of a metric in Prometheus: "db.client.operation.duration" is db_client_operation_duration_seconds.
/// Source: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
OBOL_EXPORT std::string prometheus_name(const Instrument& instrument);

}}  // namespace obol::v0
