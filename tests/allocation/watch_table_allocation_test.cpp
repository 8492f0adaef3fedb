// The table of watched sessions without memory: what must be told is told.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <new>
#include <string>

#include "failing_allocation.hpp"
#include "watch/watch_table.hpp"

namespace obol::testing { namespace {

constexpr WatchTable::NodeId node = 1;

class WatchTableMemory : public ::testing::Test {
 protected:
  WatchTable::Watched& watch(std::string id, const std::string& key) {
    auto& watched = watches.emplace_back();
    watched.id = std::move(id);
    table.add(watched, key, node, now);
    return watched;
  }

  void settle() {
    const std::array<std::int64_t, 2> two{1000, 1000};
    while (const auto read = table.next_read(node, now)) {
      ASSERT_TRUE(table.on_answer(node, std::span(two).first(read->ids.size()), now));
    }
  }

  WatchTable::Time now{std::chrono::hours(1)};
  WatchTable table{std::chrono::milliseconds(1000)};
  std::deque<WatchTable::Watched> watches;
};

TEST_F(WatchTableMemory, IsNotNeededToTell) {
  table.on_listening(node, now);
  auto& first = watch("a", "user");
  watch("b", "user");
  watch("c", "other");
  settle();
  ASSERT_TRUE(table.on_answer(node, {}, now) == false);
  table.on_change(node, "user");
  ASSERT_TRUE(table.next_read(node, now));
  const std::array<std::int64_t, 2> answer{WatchTable::not_there, 1000};
  std::size_t told = 0;
  {
    const FailingAllocation failing(0, Failing::from_then_on);
    const auto count = [&] { table.take_changed([&](WatchTable::Watched&) { ++told; }); };
    table.on_answer(node, answer, now);
    count();
    table.on_flush(node);
    table.on_alive(node, now, now);
    table.on_lost(node);
    now += std::chrono::seconds(2);
    table.on_time(now);
    count();
    table.abandon(node);
    table.remove(first);
    EXPECT_FALSE(failing.has_failed());
  }
  EXPECT_EQ(told, 3U);
}

// Nothing has changed then: the same again succeeds, and tells the same.
TEST_F(WatchTableMemory, ItsLackChangesNothing) {
  const std::array<std::int64_t, 1> gone{WatchTable::not_there};
  for (std::size_t passed = 0; passed < 100; ++passed) {
    WatchTable small{std::chrono::milliseconds(1000)};
    WatchTable::Watched watched;
    watched.id = "session";
    bool has_failed = false;
    const auto attempt = [&](const auto& work) {
      try {
        const FailingAllocation failing(passed, Failing::once);
        work();
      } catch (const std::bad_alloc&) {
        has_failed = true;
        work();
      }
    };
    attempt([&] { small.on_listening(node, now); });
    attempt([&] { small.add(watched, "a key that is too long for its place in a string", node, now); });
    attempt([&] { ASSERT_TRUE(small.next_read(node, now)); });
    ASSERT_TRUE(small.on_answer(node, gone, now));
    EXPECT_EQ(watched.status, WatchTable::Status::ended);
    EXPECT_EQ(small.hashes(), 0U);
    if (!has_failed) return;
  }
  FAIL() << "it never had enough";
}

}}  // namespace obol::testing
