// Statistics of watched sessions at one moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

namespace obol { inline namespace v0 {

/// Counts of a SessionWatch.
struct SessionWatchStatistics {
  std::size_t watched = 0;              ///< Handles whose session has not ended.
  std::size_t users = 0;                ///< Hashes that are watched: one for each user and session type.
  std::size_t unknown = 0;              ///< Handles whose session's status is `unknown`.
  std::uint64_t ended = 0;              ///< Sessions whose end was noticed, counted for each handle.
  std::uint64_t reads = 0;              ///< Times that a hash was read, or read again after a change.
  std::uint64_t connections = 0;        ///< Connections that were opened.
  std::uint64_t connection_losses = 0;  ///< Connections that were lost or renewed.
};

/// Returns the statistics of a SessionWatch, or nothing if it was closed or destroyed, or in a forked child.
/// Thread-safe.
using SessionWatchStatisticsSource = std::function<std::optional<SessionWatchStatistics>()>;

}}  // namespace obol::v0
