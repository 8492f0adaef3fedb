// Both adapters on one store, as a host would have them.
#include <memory>
#include <vector>

#include "obol/metrics/opentelemetry.hpp"
#include "obol/metrics/prometheus.hpp"
#include "obol/obol.hpp"

int main() {
  const auto prometheus_metrics = std::make_shared<obol::PrometheusMetrics>();
  const auto telemetry = std::make_shared<obol::OpenTelemetryMetrics>();
  obol::MemoryStore store({.observer = std::make_shared<obol::ObserverList>(
                               std::vector<std::shared_ptr<obol::Observer>>{prometheus_metrics, telemetry})});
  const bool worked = store.get({.user_id = "426", .id = "absent"}).has_value();
  return worked && prometheus_metrics->Collect().front().metric.front().histogram.sample_count == 1 ? 0 : 1;
}
