// Which replica serves a read.
#include "redis/core/replica_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "support/server_addresses.hpp"

namespace obol::redis { namespace {

using obol::testing::server_at;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Member {
  ServerAddress address{};
  int node = 0;
};

class ReplicaTableTest : public ::testing::Test {
 protected:
  /// How often each of them is picked.
  std::map<int, int> picked(ReplicaTable<Member>::TimePoint now, int times = 3000) {
    std::map<int, int> counts;
    for (int i = 0; i < times; ++i) {
      const auto* member = table.pick(now, random);
      ++counts[member == nullptr ? 0 : member->node];
    }
    return counts;
  }

  MemberChanges<Member> learn(const std::vector<std::uint16_t>& ports) {
    std::vector<Member> learnt;
    for (const auto port : ports) learnt.push_back({.address = server_at(port), .node = port});
    return table.learn(learnt, begin);
  }

  const ReplicaTable<Member>::TimePoint begin{seconds(1000)};
  std::minstd_rand random{1};  // NOLINT(bugprone-random-generator-seed): the same each time.
  ReplicaTable<Member> table{seconds(10)};
};

TEST_F(ReplicaTableTest, HasNoneBeforeThePrimaryHasTold) { EXPECT_EQ(table.pick(begin, random), nullptr); }

TEST_F(ReplicaTableTest, HasNoneIfThePrimaryKnowsNone) {
  learn({});
  EXPECT_EQ(table.pick(begin, random), nullptr);
}

TEST_F(ReplicaTableTest, PicksThemAllEquallyOften) {
  learn({1, 2, 3});
  const auto counts = picked(begin);
  ASSERT_EQ(counts.size(), 3U);
  for (const auto& [node, count] : counts) EXPECT_NEAR(count, 1000, 150) << node;
}

TEST_F(ReplicaTableTest, BelievesThePrimaryForTheLongestLagSinceItWasAsked) {
  learn({1});
  EXPECT_NE(table.pick(begin + milliseconds(9999), random), nullptr);
  EXPECT_EQ(table.pick(begin + milliseconds(10'000), random), nullptr);
}

TEST_F(ReplicaTableTest, AvoidsThoseThatDidNotAnswerUntilThePrimaryIsAskedAnew) {
  learn({1, 2, 3});
  table.avoid(server_at(2));
  table.avoid(server_at(2));
  table.avoid(server_at(77));
  EXPECT_EQ(picked(begin, 200).count(2), 0U);
  table.avoid(server_at(1));
  EXPECT_EQ(picked(begin, 10), (std::map<int, int>{{3, 10}}));
  table.avoid(server_at(3));
  EXPECT_EQ(table.pick(begin, random), nullptr);
  EXPECT_EQ(table.members().size(), 3U);
  learn({1, 2, 3});
  EXPECT_EQ(picked(begin, 200).size(), 3U);
}

TEST_F(ReplicaTableTest, LetsThoseLeaveThatThePrimaryDoesNotTellOf) {
  EXPECT_EQ(learn({1, 2}).joined.size(), 2U);
  table.avoid(server_at(2));
  const auto changes = learn({2, 3});
  ASSERT_EQ(changes.joined.size(), 1U);
  EXPECT_EQ(changes.joined.front().node, 3);
  ASSERT_EQ(changes.left.size(), 1U);
  EXPECT_EQ(changes.left.front().node, 1);
  EXPECT_EQ(picked(begin, 200).size(), 2U);
}

}}  // namespace obol::redis
