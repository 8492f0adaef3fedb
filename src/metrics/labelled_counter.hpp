// A counter of rare things, by labels that are not known beforehand, of which it keeps a bounded number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "obol/fork_safe_mutex.hpp"

namespace obol { inline namespace v0 { namespace metrics {

/// Thread-safe. Once it holds `most_labels`, others are counted together with `rest` in the second place.
class LabelledCounter {
 public:
  using Labels = std::pair<std::string, std::string>;
  static constexpr std::size_t most_labels = 200;

  explicit LabelledCounter(std::string rest) : rest_(std::move(rest)) {}

  /// Starts at zero, so that the first thing counted is seen as an increase.
  void prepare(Labels labels) { add(std::move(labels), 0); }

  void add(Labels labels, std::uint64_t number = 1) {
    const std::scoped_lock lock(mutex_);
    if (counts_.size() >= most_labels && !counts_.contains(labels)) labels.second = rest_;
    counts_[std::move(labels)] += number;
  }

  std::map<Labels, std::uint64_t> read() const {
    const std::scoped_lock lock(mutex_);
    return counts_;
  }

 private:
  const std::string rest_;
  mutable ForkSafeMutex mutex_;
  std::map<Labels, std::uint64_t> counts_;
};

}}}  // namespace obol::v0::metrics
