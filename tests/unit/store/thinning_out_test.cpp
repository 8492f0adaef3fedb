// The walk through the sessions of a user who has far too many.
#include "store/thinning_out.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "support/replies.hpp"

namespace obol::testing { namespace {

using Next = ThinningOut::Next;

/// What a step asks the server to evict.
std::vector<std::string> doomed(const ThinningOut& walk) {
  const auto words = words_of(walk.command("key"));
  std::vector<std::string> ids;
  for (std::size_t i = 6; i < words.size(); i += 2) ids.push_back(words[i]);
  return ids;
}

// Expiries repeat, so that ids decide, too; pages have any size, none included.
TEST(ThinningOut, LeavesThoseThatExpireLastAndRoomForOneMore) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::minstd_rand random(seed + 1);
    const SessionPolicy policy{.max_sessions = 1 + random() % 5};
    std::vector<ExpiringId> all;
    for (auto i = random() % 40; i > 0; --i) {
      all.push_back({.expires_at = static_cast<std::int64_t>(random() % 10), .id = std::to_string(i)});
    }
    ThinningOut walk(policy);
    std::vector<std::string> evicted;
    std::size_t shown = 0;
    for (bool is_over = false; !is_over;) {
      const auto ids = doomed(walk);
      evicted.insert(evicted.end(), ids.begin(), ids.end());
      ThinnedOut page;
      for (auto more = random() % 7; more > 0 && shown < all.size(); --more) page.seen.push_back(all[shown++]);
      page.cursor = shown < all.size() ? "17" : "0";
      const auto next = walk.take(std::move(page));
      ASSERT_TRUE(next == Next::step || next == Next::done);
      is_over = next == Next::done;
    }
    std::ranges::sort(all);
    const auto left = std::min(all.size(), policy.max_sessions - 1);
    std::vector<std::string> expected;
    for (std::size_t i = 0; i < all.size() - left; ++i) expected.push_back(all[i].id);
    std::ranges::sort(expected);
    std::ranges::sort(evicted);
    ASSERT_EQ(evicted, expected) << seed;
  }
}

TEST(ThinningOut, GoesOnFromWhereTheServerStopped) {
  const SessionPolicy policy{.max_sessions = 1};
  ThinningOut walk(policy);
  EXPECT_EQ(words_of(walk.command("key"))[4], "0");
  EXPECT_EQ(walk.take({.cursor = "17"}), Next::step);
  EXPECT_EQ(words_of(walk.command("key"))[4], "17");
  EXPECT_EQ(walk.take({.cursor = "0", .seen = {{.expires_at = 1, .id = "last"}}}), Next::step);
  EXPECT_EQ(words_of(walk.command("key"))[4], "");
  EXPECT_EQ(doomed(walk), std::vector<std::string>{"last"});
  EXPECT_EQ(walk.take({.cursor = "0"}), Next::done);
}

TEST(ThinningOut, RefusesAsSoonAsThereAreTooMany) {
  const SessionPolicy policy{.max_sessions = 2, .when_full = WhenFull::refuse};
  ThinningOut walk(policy);
  EXPECT_EQ(walk.take({.cursor = "17", .seen = {{.expires_at = 1, .id = "a"}}}), Next::step);
  EXPECT_EQ(walk.take({.cursor = "0", .seen = {{.expires_at = 2, .id = "b"}}}), Next::refused);
}

TEST(ThinningOut, EndsIfTheServerShowsNothingNewForTooLong) {
  const SessionPolicy policy{.max_sessions = 3};
  ThinningOut walk(policy);
  const auto same_again = [&] { return walk.take({.cursor = "17", .seen = {{.expires_at = 1, .id = "a"}}}); };
  EXPECT_EQ(same_again(), Next::step);
  for (std::size_t i = 0; i < ThinningOut::most_idle_steps; ++i) ASSERT_EQ(same_again(), Next::step) << i;
  EXPECT_EQ(same_again(), Next::endless);
}

}}  // namespace obol::testing
