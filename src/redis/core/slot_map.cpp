// From ranges of slots to a primary for each slot.
#include "redis/core/slot_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "redis/protocol/key_slot.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

/// The primaries that no slot points at go, and the others close up.
void drop_primaries_without_slots(SlotMap& map) {
  std::vector<SlotMap::Index> positions(map.primaries.size(), SlotMap::nobody);
  std::vector<ServerAddress> serving;
  for (auto& index : map.slots) {
    if (index == SlotMap::nobody) continue;
    auto& position = positions[index];
    if (position == SlotMap::nobody) {
      position = static_cast<SlotMap::Index>(serving.size());
      serving.push_back(std::move(map.primaries[index]));
    }
    index = position;
  }
  map.primaries = std::move(serving);
}

}  // namespace

Result<SlotMap> slot_map_of(const std::vector<SlotRange>& ranges) {
  SlotMap map{.slots = std::vector<SlotMap::Index>(slot_count, SlotMap::nobody)};
  for (const auto& range : ranges) {
    auto primary = std::ranges::find(map.primaries, range.primary);
    if (primary == map.primaries.end()) {
      if (map.primaries.size() == SlotMap::most_primaries) {
        return std::unexpected(
            Error{ErrorCode::protocol,
                  fmt::format("the reply of CLUSTER SLOTS names more than {} primaries", SlotMap::most_primaries)});
      }
      primary = map.primaries.insert(map.primaries.end(), range.primary);
    }
    std::fill(map.slots.begin() + range.first, map.slots.begin() + range.last + 1,
              static_cast<SlotMap::Index>(primary - map.primaries.begin()));
  }
  drop_primaries_without_slots(map);
  return map;
}

}}}  // namespace obol::v0::redis
