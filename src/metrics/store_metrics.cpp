// Counts events, and turns the counts into points.
#include "obol/metrics/store_metrics.hpp"

#include <atomic>
#include <mutex>
#include <utility>

#include "metrics/call_durations.hpp"
#include "metrics/instruments.hpp"
#include "metrics/labelled_counter.hpp"
#include "obol/fork_safe_mutex.hpp"

namespace obol { inline namespace v0 {
namespace {

using metrics::Index;
using Number = std::atomic<std::uint64_t>;

constexpr std::string_view unknown_key = "unknown";
constexpr std::array failures{VerificationFailure::malformed, VerificationFailure::unknown_key,
                              VerificationFailure::bad_signature, VerificationFailure::not_encrypted,
                              VerificationFailure::newer_format};

/// In the order of the names.
enum class Happening : std::size_t {
  created,
  refreshed,
  id_rotated,
  evicted,
  deleted,
  deleted_all,
  deleted_others,
  conflict,
  gone,
};
constexpr std::array<std::string_view, 9> happening_names{
    "created", "refreshed", "id_rotated", "evicted", "deleted", "deleted_all", "deleted_others", "conflict", "gone"};

MetricPoint number(std::uint64_t value, std::vector<MetricAttribute> attributes = {}) {
  return {.attributes = std::move(attributes), .value = value};
}

/// What is sampled when metrics are read.
struct Samples {
  std::optional<StoreStatistics> store;
  std::optional<SessionWatchStatistics> watch;
};

}  // namespace

class [[gnu::visibility("hidden")]] StoreMetrics::Counts {
 public:
  explicit Counts(StoreMetricsOptions options) : options_(std::move(options)) {
    for (const auto failure : failures) verification_failures.prepare(labels_of(failure, unknown_key));
    for (const auto reason : {ErrorCode::too_many_sessions, ErrorCode::revoked}) {
      refusals.prepare({std::string(to_string(reason)), {}});
    }
  }

  static metrics::LabelledCounter::Labels labels_of(VerificationFailure failure, std::string_view key_id) {
    return {std::string(to_string(failure)), std::string(key_id)};
  }

  void count(Happening happening) noexcept { add(happenings[static_cast<std::size_t>(happening)]); }
  static void add(Number& counter) noexcept { counter.fetch_add(1, std::memory_order_relaxed); }

  void watch(StatisticsSource source) {
    const std::scoped_lock lock(source_mutex_);
    source_ = std::move(source);
  }

  void watch(SessionWatchStatisticsSource source) {
    const std::scoped_lock lock(source_mutex_);
    watch_source_ = std::move(source);
  }

  Samples look_up() const {
    StatisticsSource source;
    SessionWatchStatisticsSource watch_source;
    {
      const std::scoped_lock lock(source_mutex_);
      source = source_;
      watch_source = watch_source_;
    }
    return {.store = source ? source() : std::nullopt, .watch = watch_source ? watch_source() : std::nullopt};
  }

  std::vector<MetricPoint> points(Index index, const Samples& samples) const;
  std::vector<MetricAttribute> attributes_of(const CallEvent& event) const;
  void name_store(std::vector<MetricAttribute>& attributes) const {
    attributes.push_back({"db.client.connection.pool.name", options_.store_name});
  }

  metrics::CallDurations durations;
  std::array<Number, happening_names.size()> happenings{};
  std::array<Number, 2> token_reuses{};  ///< By whether the session was ended.
  Number timeouts{0};
  Number opened{0};
  Number closed{0};
  Number functions_loaded{0};
  std::atomic<int> near_cache_in_use{-1};  ///< -1: never heard of.
  std::atomic<bool> is_valkey{false};
  metrics::LabelledCounter refusals{{}};
  metrics::LabelledCounter verification_failures{std::string(unknown_key)};
  metrics::LabelledCounter findings{"other"};

 private:
  std::vector<MetricPoint> unnamed_points(Index index, const Samples& samples) const;
  std::vector<MetricPoint> counted_points(Index index) const;
  static std::vector<MetricPoint> pool_points(Index index, const PoolStatistics& pool);
  static std::vector<MetricPoint> near_cache_points(Index index, const NearCacheStatistics& cache);
  static std::vector<MetricPoint> watch_points(Index index, const SessionWatchStatistics& watch);
  static std::vector<MetricPoint> labelled_points(const metrics::LabelledCounter& counter, std::string_view first,
                                                  std::string_view second);

  const StoreMetricsOptions options_;
  mutable ForkSafeMutex source_mutex_;
  StatisticsSource source_;
  SessionWatchStatisticsSource watch_source_;
};

std::vector<MetricAttribute> StoreMetrics::Counts::attributes_of(const CallEvent& event) const {
  std::vector<MetricAttribute> attributes{{"db.system.name", is_valkey ? "valkey" : "redis"},
                                          {"db.operation.name", std::string(to_string(event.operation))},
                                          {"obol.outcome", std::string(to_string(event.outcome))}};
  if (event.outcome == CallOutcome::failed) {
    attributes.push_back({"error.type", std::string(to_string(event.error))});
  }
  return attributes;
}

std::vector<MetricPoint> StoreMetrics::Counts::points(Index index, const Samples& samples) const {
  auto points = unnamed_points(index, samples);
  for (auto& point : points) name_store(point.attributes);
  return points;
}

std::vector<MetricPoint> StoreMetrics::Counts::unnamed_points(Index index, const Samples& samples) const {
  switch (index) {
    case Index::connection_count:
    case Index::connection_max:
    case Index::pending_requests:
    case Index::in_flight:
    case Index::flights:
    case Index::connection_failures:
      return samples.store ? pool_points(index, samples.store->pool) : std::vector<MetricPoint>{};
    case Index::near_cache_lookups:
    case Index::near_cache_invalidations:
    case Index::near_cache_evictions:
    case Index::near_cache_sessions:
    case Index::near_cache_size:
      return samples.store ? near_cache_points(index, samples.store->near_cache) : std::vector<MetricPoint>{};
    case Index::watch_sessions:
    case Index::watch_users:
    case Index::watch_ends:
    case Index::watch_reads:
    case Index::watch_connections_opened:
    case Index::watch_connections_lost:
      return samples.watch ? watch_points(index, *samples.watch) : std::vector<MetricPoint>{};
    default:
      return counted_points(index);
  }
}

std::vector<MetricPoint> StoreMetrics::Counts::pool_points(Index index, const PoolStatistics& pool) {
  switch (index) {
    case Index::connection_count:
      return {number(pool.idle, {{"db.client.connection.state", "idle"}}),
              number(pool.used, {{"db.client.connection.state", "used"}})};
    case Index::connection_max:
      return {number(pool.maximum)};
    case Index::pending_requests:
      return {number(pool.waiting)};
    case Index::in_flight:
      return {number(pool.in_flight)};
    case Index::flights:
      return {number(pool.flights)};
    default:
      return {number(pool.failed)};
  }
}

std::vector<MetricPoint> StoreMetrics::Counts::near_cache_points(Index index, const NearCacheStatistics& cache) {
  switch (index) {
    case Index::near_cache_lookups:
      return {number(cache.hits, {{"obol.near_cache.result", "hit"}}),
              number(cache.misses, {{"obol.near_cache.result", "miss"}})};
    case Index::near_cache_invalidations:
      return {number(cache.invalidations)};
    case Index::near_cache_evictions:
      return {number(cache.evictions)};
    case Index::near_cache_sessions:
      return {number(cache.sessions)};
    default:
      return {number(cache.bytes)};
  }
}

std::vector<MetricPoint> StoreMetrics::Counts::watch_points(Index index, const SessionWatchStatistics& watch) {
  switch (index) {
    case Index::watch_sessions:
      return {number(watch.watched - watch.unknown, {{"obol.session_watch.status", "live"}}),
              number(watch.unknown, {{"obol.session_watch.status", "unknown"}})};
    case Index::watch_users:
      return {number(watch.users)};
    case Index::watch_ends:
      return {number(watch.ended)};
    case Index::watch_reads:
      return {number(watch.reads)};
    case Index::watch_connections_opened:
      return {number(watch.connections)};
    default:
      return {number(watch.connection_losses)};
  }
}

std::vector<MetricPoint> StoreMetrics::Counts::counted_points(Index index) const {
  std::vector<MetricPoint> points;
  switch (index) {
    case Index::operation_duration:
      durations.for_each([&](const CallEvent& event, MetricPoint point) {
        point.attributes = attributes_of(event);
        points.push_back(std::move(point));
      });
      break;
    case Index::session_events:
      for (std::size_t i = 0; i < happenings.size(); ++i) {
        points.push_back(number(happenings[i], {{"obol.session.event", std::string(happening_names[i])}}));
      }
      break;
    case Index::near_cache_in_use:
      if (const int in_use = near_cache_in_use; in_use >= 0) points.push_back(number(static_cast<unsigned>(in_use)));
      break;
    case Index::session_refusals:
      return labelled_points(refusals, "error.type", {});
    case Index::token_reuses:
      return {number(token_reuses[0], {{"obol.session.ended", "false"}}),
              number(token_reuses[1], {{"obol.session.ended", "true"}})};
    case Index::verification_failures:
      return labelled_points(verification_failures, "obol.verification.reason", "obol.key.id");
    case Index::findings:
      return labelled_points(findings, "obol.finding.severity", "obol.finding.topic");
    case Index::connection_timeouts:
      return {number(timeouts)};
    case Index::connections_opened:
      return {number(opened)};
    case Index::connections_closed:
      return {number(closed)};
    default:
      return {number(functions_loaded)};
  }
  return points;
}

std::vector<MetricPoint> StoreMetrics::Counts::labelled_points(const metrics::LabelledCounter& counter,
                                                               std::string_view first, std::string_view second) {
  std::vector<MetricPoint> points;
  for (const auto& [labels, count] : counter.read()) {
    points.push_back(number(count, {{first, labels.first}}));
    if (!second.empty()) points.back().attributes.push_back({second, labels.second});
  }
  return points;
}

StoreMetrics::StoreMetrics(StoreMetricsOptions options) : counts_(std::make_unique<Counts>(std::move(options))) {}
StoreMetrics::~StoreMetrics() = default;

void StoreMetrics::watch(StatisticsSource source) { counts_->watch(std::move(source)); }
void StoreMetrics::watch(SessionWatchStatisticsSource source) { counts_->watch(std::move(source)); }

std::vector<MetricPoint> StoreMetrics::points(std::size_t instrument) const {
  return counts_->points(static_cast<Index>(instrument), counts_->look_up());
}

std::vector<std::vector<MetricPoint>> StoreMetrics::points() const {
  const auto samples = counts_->look_up();
  std::vector<std::vector<MetricPoint>> all;
  for (std::size_t i = 0; i < instruments().size(); ++i) all.push_back(counts_->points(static_cast<Index>(i), samples));
  return all;
}

std::vector<MetricAttribute> StoreMetrics::attributes_of(const CallEvent& event) const {
  auto attributes = counts_->attributes_of(event);
  counts_->name_store(attributes);
  return attributes;
}

void StoreMetrics::count_call(const CallEvent& event) noexcept {
  if (event.outcome == CallOutcome::failed && event.error == ErrorCode::pool_timeout) Counts::add(counts_->timeouts);
}

void StoreMetrics::on_call(const CallEvent& event) noexcept {
  counts_->durations.add(event);
  count_call(event);
}

void StoreMetrics::on_created(const SessionEvent&) noexcept { counts_->count(Happening::created); }
void StoreMetrics::on_refreshed(const SessionEvent&) noexcept { counts_->count(Happening::refreshed); }
void StoreMetrics::on_id_rotated(const SessionEvent&) noexcept { counts_->count(Happening::id_rotated); }
void StoreMetrics::on_evicted(const SessionEvent&) noexcept { counts_->count(Happening::evicted); }
void StoreMetrics::on_deleted(const SessionEvent&) noexcept { counts_->count(Happening::deleted); }
void StoreMetrics::on_conflict(const SessionEvent&) noexcept { counts_->count(Happening::conflict); }
void StoreMetrics::on_gone(const SessionEvent&) noexcept { counts_->count(Happening::gone); }
void StoreMetrics::on_deleted_all(const DeletedAllEvent& event) noexcept {
  counts_->count(event.kept_one ? Happening::deleted_others : Happening::deleted_all);
}

void StoreMetrics::on_refused(const RefusedEvent& event) noexcept {
  counts_->refusals.add({std::string(to_string(event.reason)), {}});
}

void StoreMetrics::on_verification_failed(const VerificationFailedEvent& event) noexcept {
  counts_->verification_failures.add(
      Counts::labels_of(event.reason, event.is_key_known ? std::string_view(event.key_id) : unknown_key));
}

void StoreMetrics::on_token_reused(const TokenReusedEvent& event) noexcept {
  Counts::add(counts_->token_reuses[event.session_ended ? 1 : 0]);
}

void StoreMetrics::on_finding(const Finding& finding) noexcept {
  counts_->findings.add({std::string(to_string(finding.severity)), std::string(finding.topic)});
}

void StoreMetrics::on_functions_loaded(const FunctionsLoadedEvent&) noexcept { Counts::add(counts_->functions_loaded); }

void StoreMetrics::on_near_cache_changed(const NearCacheEvent& event) noexcept {
  counts_->near_cache_in_use = event.is_in_use ? 1 : 0;
}

void StoreMetrics::on_connection_opened(const ConnectionEvent& event) noexcept {
  counts_->is_valkey = event.server.starts_with("Valkey");
  Counts::add(counts_->opened);
}

void StoreMetrics::on_connection_closed(const ConnectionEvent&) noexcept { Counts::add(counts_->closed); }

}}  // namespace obol::v0
