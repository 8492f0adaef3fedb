// Metrics of a store for OpenTelemetry, with the API of opentelemetry-cpp. Link obol::opentelemetry.
#pragma once

#include <opentelemetry/metrics/meter_provider.h>
#include <opentelemetry/metrics/provider.h>

#include <memory>

#include "obol/export.hpp"
#include "obol/metrics/store_metrics.hpp"

namespace obol { inline namespace v0 {

/// Observes a store and reports its metrics to a meter named "obol" of the provider. Durations are recorded when calls
/// end; everything else is observed when the provider collects. The default buckets of a histogram are for
/// milliseconds: give the provider a view with duration_bounds() (docs/metrics.md). Thread-safe. A collection may run
/// while the store is destroyed.
///
///     auto metrics = std::make_shared<obol::OpenTelemetryMetrics>();
///     options.observer = metrics;                      // ObserverList, where there are others
///     auto store = obol::RedisStore::connect(options);
///     metrics->watch(store->statistics_source());
class OBOL_EXPORT OpenTelemetryMetrics final : public StoreMetrics {
 public:
  /// The provider type of OpenTelemetry.
  using MeterProvider = ::opentelemetry::nostd::shared_ptr<::opentelemetry::metrics::MeterProvider>;

  /// Creates its instruments with that provider, by default the global one.
  explicit OpenTelemetryMetrics(StoreMetricsOptions options = {},
                                const MeterProvider& provider = ::opentelemetry::metrics::Provider::GetMeterProvider());

  /// Waits for a collection in progress.
  ~OpenTelemetryMetrics() override;

  void on_call(const CallEvent& event) noexcept override;

 private:
  class Instruments;
  std::unique_ptr<Instruments> instruments_;
};

}}  // namespace obol::v0
