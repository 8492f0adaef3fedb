// Points as prometheus-cpp's metric families.
#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

#include "obol/metrics/prometheus.hpp"

namespace obol { inline namespace v0 {
namespace {

using ::prometheus::ClientMetric;
using ::prometheus::MetricFamily;
using ::prometheus::MetricType;

double in_seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

std::string with_underscores(std::string_view name) {
  std::string text(name);
  std::ranges::replace(text, '.', '_');
  return text;
}

ClientMetric::Histogram histogram(const MetricPoint& point) {
  ClientMetric::Histogram histogram{.sample_count = point.value, .sample_sum = in_seconds(point.sum), .bucket = {}};
  constexpr auto bounds = duration_bounds();
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < point.bucket_counts.size(); ++i) {
    cumulative += point.bucket_counts[i];
    histogram.bucket.push_back(
        {.cumulative_count = cumulative,
         .upper_bound = i < bounds.size() ? in_seconds(bounds[i]) : std::numeric_limits<double>::infinity()});
  }
  return histogram;
}

ClientMetric metric(const MetricPoint& point, InstrumentKind kind) {
  ClientMetric metric;
  for (const auto& attribute : point.attributes) {
    metric.label.push_back({.name = with_underscores(attribute.name), .value = attribute.value});
  }
  switch (kind) {
    case InstrumentKind::counter:
      metric.counter.value = static_cast<double>(point.value);
      break;
    case InstrumentKind::up_down_counter:
      metric.gauge.value = static_cast<double>(point.value);
      break;
    case InstrumentKind::histogram:
      metric.histogram = histogram(point);
  }
  return metric;
}

MetricType type_of(InstrumentKind kind) {
  switch (kind) {
    case InstrumentKind::counter:
      return MetricType::Counter;
    case InstrumentKind::up_down_counter:
      return MetricType::Gauge;
    case InstrumentKind::histogram:
      break;
  }
  return MetricType::Histogram;
}

MetricFamily family(const Instrument& instrument, std::span<const MetricPoint> points) {
  MetricFamily family{.name = prometheus_name(instrument),
                      .help = std::string(instrument.description),
                      .type = type_of(instrument.kind),
                      .metric = {}};
  for (const auto& point : points) family.metric.push_back(metric(point, instrument.kind));
  return family;
}

}  // namespace

std::string prometheus_name(const Instrument& instrument) {
  auto name = with_underscores(instrument.name);
  if (instrument.unit == "s") name += "_seconds";
  if (instrument.unit == "By") name += "_bytes";
  if (instrument.kind == InstrumentKind::counter) name += "_total";
  return name;
}

std::vector<MetricFamily> PrometheusMetrics::Collect() const {
  std::vector<MetricFamily> families;
  const auto all = points();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].empty()) families.push_back(family(instruments()[i], all[i]));
  }
  return families;
}

}}  // namespace obol::v0
