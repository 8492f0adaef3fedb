// How long calls took, by operation and outcome: histograms that many threads add to without a lock.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "obol/metrics/store_metrics.hpp"

namespace obol { inline namespace v0 { namespace metrics {

/// Thread-safe. A reader may see a duration in the buckets that is not yet in the sum.
class CallDurations {
 public:
  void add(const CallEvent& event) noexcept {
    auto& histogram = histograms_[index_of(event)];
    const auto bucket = std::ranges::lower_bound(bounds, event.duration) - bounds.begin();
    histogram.buckets[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
    histogram.sum.fetch_add(event.duration.count(), std::memory_order_relaxed);
  }

  /// Calls `take` with the event (but its duration) and the point (but its attributes) of each histogram that is not
  /// empty.
  template <class Take>
  void for_each(Take take) const {
    for (std::size_t index = 0; index < histograms_.size(); ++index) {
      auto point = read(histograms_[index]);
      if (point.value > 0) take(event_of(index), std::move(point));
    }
  }

 private:
  static constexpr auto bounds = duration_bounds();
  static constexpr std::size_t operations = 9;
  static constexpr std::size_t outcomes = 4;  ///< But `failed`, in whose place the errors stand.
  static constexpr std::size_t errors = 28;   ///< With room for codes to come.
  static_assert(static_cast<std::size_t>(Operation::delete_others) == operations - 1);
  static_assert(static_cast<std::size_t>(CallOutcome::failed) == outcomes);

  struct Histogram {
    std::array<std::atomic<std::uint64_t>, bounds.size() + 1> buckets{};
    std::atomic<std::chrono::nanoseconds::rep> sum{0};
  };

  static std::size_t index_of(const CallEvent& event) noexcept {
    auto kind = static_cast<std::size_t>(event.outcome);
    if (event.outcome == CallOutcome::failed) {
      kind = outcomes + std::min(static_cast<std::size_t>(event.error), errors - 1);
    }
    return static_cast<std::size_t>(event.operation) * (outcomes + errors) + kind;
  }

  static CallEvent event_of(std::size_t index) {
    const auto kind = index % (outcomes + errors);
    CallEvent event{.operation = static_cast<Operation>(index / (outcomes + errors)),
                    .outcome = static_cast<CallOutcome>(std::min(kind, outcomes))};
    if (kind >= outcomes) event.error = static_cast<ErrorCode>(kind - outcomes);
    return event;
  }

  static MetricPoint read(const Histogram& histogram) {
    MetricPoint point;
    point.sum = std::chrono::nanoseconds(histogram.sum.load(std::memory_order_relaxed));
    for (const auto& bucket : histogram.buckets) {
      point.bucket_counts.push_back(bucket.load(std::memory_order_relaxed));
      point.value += point.bucket_counts.back();
    }
    return point;
  }

  std::array<Histogram, operations*(outcomes + errors)> histograms_{};
};

}}}  // namespace obol::v0::metrics
