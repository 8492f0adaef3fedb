// Which node is asked for the slot map first, and which last.
#include "redis/core/slot_map_candidates.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "support/server_addresses.hpp"

namespace obol::redis { namespace {

using obol::testing::server_at;
using Kind = MapDoubt::Kind;

struct Member {
  ServerAddress address{};
};
using Members = std::vector<Member>;

Members servers(const std::vector<std::uint16_t>& ports) {
  Members members;
  for (const auto port : ports) members.push_back({server_at(port)});
  return members;
}

class SlotMapCandidates : public ::testing::Test {
 protected:
  struct Asked {
    std::vector<std::uint16_t> over_open_connections{};
    std::vector<std::uint16_t> over_own_connections{};
  };

  Asked asked(const MapDoubt& doubt, const Members& members, const Members& seeds) {
    Asked asked;
    for (const auto& candidate : map_candidates(doubt, members, seeds, random)) {
      auto& ports = candidate.has_just_answered ? asked.over_open_connections : asked.over_own_connections;
      EXPECT_TRUE(!candidate.has_just_answered || asked.over_own_connections.empty()) << "it is asked first";
      ports.push_back(candidate.member.address.port);
    }
    return asked;
  }

  static std::vector<std::uint16_t> sorted(std::vector<std::uint16_t> ports) {
    std::ranges::sort(ports);
    return ports;
  }

  std::minstd_rand random{1};  // NOLINT(bugprone-random-generator-seed): the same each time.
};

struct Row {
  Kind kind;
  std::uint16_t node;
  bool is_asked_first;
  bool is_asked_last;
};

TEST_F(SlotMapCandidates, BeginWithWhoSentACallAwayAndEndWithWhoIsDoubted) {
  const std::vector<std::uint16_t> all{1, 2, 3, 9};
  for (const auto& row : {Row{.kind = Kind::unserved, .node = 0, .is_asked_first = false, .is_asked_last = false},
                          Row{.kind = Kind::moved, .node = 2, .is_asked_first = true, .is_asked_last = true},
                          Row{.kind = Kind::suspected, .node = 2, .is_asked_first = false, .is_asked_last = true},
                          Row{.kind = Kind::suspected, .node = 9, .is_asked_first = false, .is_asked_last = true},
                          // They have left meanwhile, and there is no connection to a seed that is no member.
                          Row{.kind = Kind::moved, .node = 7, .is_asked_first = false, .is_asked_last = false},
                          Row{.kind = Kind::moved, .node = 9, .is_asked_first = false, .is_asked_last = true},
                          Row{.kind = Kind::suspected, .node = 7, .is_asked_first = false, .is_asked_last = false}}) {
    for (int i = 0; i < 50; ++i) {
      const auto [open, own] =
          asked({.kind = row.kind, .node = server_at(row.node)}, servers({1, 2, 3}), servers({9, 3}));
      EXPECT_EQ(open, row.is_asked_first ? std::vector{row.node} : std::vector<std::uint16_t>{});
      EXPECT_EQ(sorted(own), all);
      EXPECT_TRUE(!row.is_asked_last || own.back() == row.node);
    }
  }
}

TEST_F(SlotMapCandidates, AreSeedsAloneAtFirst) {
  const auto [open, own] = asked({}, {}, servers({1, 2}));
  EXPECT_TRUE(open.empty());
  EXPECT_EQ(sorted(own), (std::vector<std::uint16_t>{1, 2}));
}

TEST_F(SlotMapCandidates, ComeInAnotherOrderEachTime) {
  std::set<std::vector<std::uint16_t>> orders;
  for (int i = 0; i < 200; ++i) orders.insert(asked({}, servers({1, 2, 3}), {}).over_own_connections);
  EXPECT_EQ(orders.size(), 6U);
}

TEST_F(SlotMapCandidates, AreTheOnlyNodeTwiceIfItSentACallAway) {
  const auto [open, own] = asked({.kind = Kind::moved, .node = server_at(1)}, servers({1}), {});
  EXPECT_EQ(open, std::vector<std::uint16_t>{1});
  EXPECT_EQ(own, std::vector<std::uint16_t>{1});
}

}}  // namespace obol::redis
