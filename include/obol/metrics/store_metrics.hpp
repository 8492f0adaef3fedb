// Counts what a store tells, for adapters to metrics systems: the same metrics whatever the system.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "obol/export.hpp"
#include "obol/observer.hpp"
#include "obol/store_statistics.hpp"

namespace obol::inline v0 {

/// How a metric behaves.
enum class InstrumentKind {
  counter,          ///< Only grows.
  up_down_counter,  ///< What there is now; a gauge in Prometheus' words.
  histogram,
};

/// A metric: its name, unit and meaning. docs/metrics.md has all of them.
/// Source: https://opentelemetry.io/docs/specs/semconv/database/database-metrics/
struct Instrument {
  std::string_view name{};                        ///< Such as "db.client.connection.count".
  std::string_view unit{};                        ///< By UCUM: "s", "By", or what is counted in braces.
  std::string_view description{};                 ///< A sentence for the reader of a dashboard.
  InstrumentKind kind = InstrumentKind::counter;  ///< How it is to be read.
};

/// All metrics of a store. The first, "db.client.operation.duration", is the only histogram.
OBOL_EXPORT std::span<const Instrument> instruments();

/// Upper bounds of the buckets of "db.client.operation.duration": from 1 µs, for the near cache, to 10 s.
constexpr std::array<std::chrono::nanoseconds, 20> duration_bounds() {
  using std::chrono::microseconds;
  return {microseconds(1),        microseconds(5),         microseconds(25),        microseconds(50),
          microseconds(100),      microseconds(250),       microseconds(500),       microseconds(1'000),
          microseconds(2'500),    microseconds(5'000),     microseconds(10'000),    microseconds(25'000),
          microseconds(50'000),   microseconds(100'000),   microseconds(250'000),   microseconds(500'000),
          microseconds(1000'000), microseconds(2'500'000), microseconds(5'000'000), microseconds(10'000'000)};
}

/// One dimension of a metric, such as "db.operation.name" = "get".
struct MetricAttribute {
  std::string_view name{};  ///< Such as "db.operation.name".
  std::string value{};      ///< Such as "get".
};

/// What a metric stands at for one set of attributes.
struct MetricPoint {
  std::vector<MetricAttribute> attributes{};   ///< What tells it from the metric's other points.
  std::uint64_t value = 0;                     ///< Of a histogram: how many durations.
  std::chrono::nanoseconds sum{};              ///< Of a histogram's durations.
  std::vector<std::uint64_t> bucket_counts{};  ///< One for each of duration_bounds(), and one for what is longer.
};

/// Options of the metrics of one store.
struct StoreMetricsOptions {
  /// Tells the stores of a process apart: "db.client.connection.pool.name" on every metric.
  std::string store_name = "obol";
};

/// An observer of one store that counts. The values of its pool and its near cache are looked up when metrics are read,
/// once `watch` was called. Thread-safe. Memory and the number of points are bounded, whatever stands in the server:
/// keys that are not in the keyring are counted as "unknown".
class OBOL_EXPORT StoreMetrics : public Observer {
 public:
  /// Counts from zero.
  explicit StoreMetrics(StoreMetricsOptions options = {});
  ~StoreMetrics() override;

  /// From now on reads the pool and the near cache there: `metrics->watch(store.statistics_source())`. Without it, or
  /// once that store is closed, their metrics have no points.
  void watch(StatisticsSource source);

  /// The points of one of instruments(), by its index there.
  std::vector<MetricPoint> points(std::size_t instrument) const;

  /// The points of all instruments(), in their order; pool and near cache as of one moment.
  std::vector<std::vector<MetricPoint>> points() const;

  void on_call(const CallEvent& event) noexcept override;
  void on_created(const SessionEvent& event) noexcept override;
  void on_refreshed(const SessionEvent& event) noexcept override;
  void on_id_rotated(const SessionEvent& event) noexcept override;
  void on_evicted(const SessionEvent& event) noexcept override;
  void on_refused(const RefusedEvent& event) noexcept override;
  void on_deleted(const SessionEvent& event) noexcept override;
  void on_deleted_all(const DeletedAllEvent& event) noexcept override;
  void on_conflict(const SessionEvent& event) noexcept override;
  void on_gone(const SessionEvent& event) noexcept override;
  void on_verification_failed(const VerificationFailedEvent& event) noexcept override;
  void on_finding(const Finding& finding) noexcept override;
  void on_functions_loaded(const FunctionsLoadedEvent& event) noexcept override;
  void on_near_cache_changed(const NearCacheEvent& event) noexcept override;
  void on_connection_opened(const ConnectionEvent& event) noexcept override;
  void on_connection_closed(const ConnectionEvent& event) noexcept override;

 protected:
  /// The attributes of a call, as on_call counts it.
  std::vector<MetricAttribute> attributes_of(const CallEvent& event) const;

  /// Counts all that on_call does but the duration, for an adapter that hands durations on at once.
  void count_call(const CallEvent& event) noexcept;

 private:
  class Counts;
  std::unique_ptr<Counts> counts_;
};

}  // namespace obol::inline v0
