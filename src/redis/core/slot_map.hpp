// The slot map of a cluster as one of its nodes tells it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "obol/error.hpp"
#include "obol/server_address.hpp"
#include "redis/protocol/cluster_slots.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Each primary serves a slot at least.
struct SlotMap {
  using Index = std::uint16_t;
  static constexpr Index nobody = std::numeric_limits<Index>::max();

  /// A cluster has a thousand nodes at most; what names more primaries is not believed.
  static constexpr std::size_t most_primaries = 2000;

  std::vector<ServerAddress> primaries{};
  std::vector<Index> slots{};  ///< For each slot the position of its primary, or `nobody`.
};

/// `ranges`: one at least, as slots_answer() gives them. Of ranges that overlap the last counts. `protocol`: there are
/// too many primaries.
Result<SlotMap> slot_map_of(const std::vector<SlotRange>& ranges);

}}}  // namespace obol::v0::redis
