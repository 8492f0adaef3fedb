// How events reach the handlers of a SessionWatch, over a feed in the test's hand.
#include "watch/watch_core.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "obol/testing/queueing_executor.hpp"
#include "support/await.hpp"
#include "support/watch_events.hpp"

namespace obol::testing { namespace {

/// Never tells anything.
class SilentFeed final : public WatchFeed {
 public:
  static constexpr WatchTable::NodeId only_node = 0;

  WatchTable::NodeId node_of(std::string_view) override { return only_node; }
  void wake(WatchTable::NodeId) noexcept override {}
  std::optional<WatchTable::Time> tend(WatchTable::Time) override { return std::nullopt; }
  void stop() override {}
  void add_to(SessionWatchStatistics&) const override {}
  Result<void> replace_credentials(UserCredentials) override { return {}; }
};

TEST(WatchCoreTest, AHandlerThatThrowsIsToldWhatHappenedMeanwhile) {
  QueueingExecutor executor;
  const auto core = std::make_shared<WatchCore>(
      SessionWatchOptions{.max_staleness = std::chrono::milliseconds(100), .executor = &executor});
  ASSERT_TRUE(core->start(std::make_unique<SilentFeed>()).has_value());
  const auto find_it_gone = [&] {
    core->change([](WatchTable& table) {
      const auto now = WatchTable::Steady::now();
      table.on_listening(SilentFeed::only_node, now);
      ASSERT_TRUE(table.next_read(SilentFeed::only_node, now));
      ASSERT_TRUE(table.on_answer(SilentFeed::only_node, std::vector<std::int64_t>{WatchTable::not_there}, now));
    });
  };
  std::vector<SessionWatchEvent> told;
  const auto handle = core->watch("key", "id", [&](const SessionWatchEvent& event) {
    told.push_back(event);
    if (event != unknown_event) return;
    find_it_gone();
    throw std::runtime_error("of the host");
  });
  ASSERT_TRUE(handle.has_value());
  Completions posted;
  await("an event to be posted", [&] {
    posted = executor.take();
    return !posted.empty();
  });
  EXPECT_THROW(posted.run(), std::runtime_error);
  executor.take().run();
  EXPECT_EQ(told, (std::vector{unknown_event, removed_event}));
  EXPECT_TRUE(executor.take().empty());
  core->close();
}

}}  // namespace obol::testing
