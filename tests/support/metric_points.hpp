// Metrics as lines of text, to be searched.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "obol/metrics/store_metrics.hpp"

namespace obol::testing {

/// A point's attributes as "name=value name=value", but for the name of the store.
inline std::string text_of(const std::vector<MetricAttribute>& attributes) {
  std::string text;
  for (const auto& attribute : attributes) {
    if (attribute.name == "db.client.connection.pool.name") continue;
    if (!text.empty()) text += ' ';
    text.append(attribute.name).append("=").append(attribute.value);
  }
  return text;
}

/// The values of a metric, by the attributes of each point.
inline std::map<std::string, std::uint64_t> values_of(const StoreMetrics& metrics, std::string_view name) {
  const auto all = instruments();
  const auto found = std::ranges::find(all, name, &Instrument::name);
  std::map<std::string, std::uint64_t> values;
  if (found == all.end()) return values;
  for (const auto& point : metrics.points(static_cast<std::size_t>(found - all.begin()))) {
    values[text_of(point.attributes)] = point.value;
  }
  return values;
}

}  // namespace obol::testing
