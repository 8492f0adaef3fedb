// Counts a store's events for adapters to metrics systems; every system gets the same metrics.
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
#include "obol/session_watch_statistics.hpp"
#include "obol/store_statistics.hpp"

namespace obol { inline namespace v0 {

/// Kind of a metric.
enum class InstrumentKind {
  counter,          ///< Only increases.
  up_down_counter,  ///< A current value; Prometheus calls it a gauge.
  histogram,
};

/// A metric: its name, unit and meaning. docs/metrics.md lists all of them.
/// Source: https://opentelemetry.io/docs/specs/semconv/database/database-metrics/
struct Instrument {
  std::string_view name{};                        ///< Such as "db.client.connection.count".
  std::string_view unit{};                        ///< In UCUM: "s", "By", or what is counted in braces.
  std::string_view description{};                 ///< One sentence for readers of a dashboard.
  InstrumentKind kind = InstrumentKind::counter;  ///< Kind of the metric.
};

/// Returns all metrics of a store. The first, "db.client.operation.duration", is the only histogram.
OBOL_EXPORT std::span<const Instrument> instruments();

/// Returns the upper bounds of the buckets of "db.client.operation.duration": from 1 µs, for the near cache, to 10 s.
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

/// Value of a metric for one set of attributes.
struct MetricPoint {
  std::vector<MetricAttribute> attributes{};  ///< Attributes that distinguish it from the metric's other points.
  std::uint64_t value = 0;                    ///< Value; for a histogram, the number of durations.
  std::chrono::nanoseconds sum{};             ///< For a histogram, the sum of its durations.
  /// For a histogram, one count for each of duration_bounds() and one for longer durations.
  std::vector<std::uint64_t> bucket_counts{};
};

/// Options of the metrics of one store.
struct StoreMetricsOptions {
  /// Distinguishes the stores of a process: "db.client.connection.pool.name" on every metric.
  std::string store_name = "obol";
};

/// An observer that counts the events of one store, and of the session managers that it is given to. After `watch` was
/// called, the values of the store's pool and near cache, or of a SessionWatch, are sampled when metrics are read.
/// Thread-safe. Memory and the number of points are bounded, whatever the server contains: keys that are not in the
/// keyring are counted as "unknown".
class OBOL_EXPORT StoreMetrics : public Observer {
 public:
  /// Starts counting from zero.
  explicit StoreMetrics(StoreMetricsOptions options = {});
  ~StoreMetrics() override;

  /// Samples the pool and near cache of that store from now on: `metrics->watch(store.statistics_source())`. Without
  /// it, or after that store is closed, their metrics have no points.
  void watch(StatisticsSource source);

  /// The same for a SessionWatch: `metrics->watch(session_watch.statistics_source())`. May be called beside the other.
  void watch(SessionWatchStatisticsSource source);

  /// Returns the points of the instrument with this index in instruments().
  std::vector<MetricPoint> points(std::size_t instrument) const;

  /// Returns the points of all instruments(), in their order; pool, near cache and session watch are sampled once.
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
  void on_token_reused(const TokenReusedEvent& event) noexcept override;
  void on_finding(const Finding& finding) noexcept override;
  void on_functions_loaded(const FunctionsLoadedEvent& event) noexcept override;
  void on_near_cache_changed(const NearCacheEvent& event) noexcept override;
  void on_connection_opened(const ConnectionEvent& event) noexcept override;
  void on_connection_closed(const ConnectionEvent& event) noexcept override;

 protected:
  /// Returns the attributes of a call, as on_call counts it.
  std::vector<MetricAttribute> attributes_of(const CallEvent& event) const;

  /// Counts everything that on_call does except the duration, for adapters that pass durations on at once.
  void count_call(const CallEvent& event) noexcept;

 private:
  class Counts;
  std::unique_ptr<Counts> counts_;
};

}}  // namespace obol::v0
