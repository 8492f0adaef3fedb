// From the ranges a node tells to a primary for each slot.
#include "redis/core/slot_map.hpp"

#include <gtest/gtest.h>

#include <string>

#include "redis/protocol/key_slot.hpp"
#include "support/server_addresses.hpp"

namespace obol::redis { namespace {

using obol::testing::server_at;

TEST(SlotMapTest, HasAPrimaryForEachSlotThatIsServed) {
  const auto map = slot_map_of({{.first = 0, .last = 1, .primary = server_at(1)},
                                {.first = 3, .last = 3, .primary = server_at(2)},
                                {.first = 16383, .last = 16383, .primary = server_at(1)}})
                       .value();
  ASSERT_EQ(map.slots.size(), slot_count);
  EXPECT_EQ(map.primaries, (std::vector{server_at(1), server_at(2)}));
  EXPECT_EQ(map.slots[0], 0);
  EXPECT_EQ(map.slots[1], 0);
  EXPECT_EQ(map.slots[2], SlotMap::nobody);
  EXPECT_EQ(map.slots[3], 1);
  EXPECT_EQ(map.slots[16382], SlotMap::nobody);
  EXPECT_EQ(map.slots[16383], 0);
}

TEST(SlotMapTest, HasNoPrimaryWithoutASlotIfRangesOverlap) {
  const auto map = slot_map_of({{.first = 0, .last = 10, .primary = server_at(1)},
                                {.first = 5, .last = 20, .primary = server_at(2)},
                                {.first = 0, .last = 7, .primary = server_at(3)}})
                       .value();
  EXPECT_EQ(map.primaries, (std::vector{server_at(3), server_at(2)}));
  EXPECT_EQ(map.slots[7], 0);
  EXPECT_EQ(map.slots[8], 1);
}

TEST(SlotMapTest, OfMorePrimariesThanAClusterCanHaveIsNotBelieved) {
  std::vector<SlotRange> ranges;
  for (std::uint16_t i = 0; i < SlotMap::most_primaries; ++i) {
    ranges.push_back({.first = i, .last = i, .primary = server_at(static_cast<std::uint16_t>(i + 1))});
  }
  EXPECT_EQ(slot_map_of(ranges)->primaries.size(), SlotMap::most_primaries);
  ranges.push_back({.first = 5000, .last = 5000, .primary = server_at(5000)});
  const auto refused = slot_map_of(ranges);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::protocol);
}

}}  // namespace obol::redis
