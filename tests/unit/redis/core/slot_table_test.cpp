// Redirections and learnt maps as events: who serves a slot behind them, and who is a member.
#include "redis/core/slot_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "redis/core/refresh_gate.hpp"
#include "redis/core/slot_map_candidates.hpp"
#include "support/replies.hpp"
#include "support/server_addresses.hpp"

namespace obol::redis { namespace {

using obol::testing::parsed;
using obol::testing::server_at;
using std::chrono::milliseconds;

struct Member {
  ServerAddress address{};
  int node = 0;  ///< Another one for each that is made.

  bool operator==(const Member&) const = default;
};
using Table = SlotTable<Member>;
using Members = std::vector<Member>;

bool is_in(const Members& members, const Member& member) { return std::ranges::find(members, member) != members.end(); }

Redirect moved(std::uint16_t slot, std::uint16_t port) {
  return {.kind = Redirect::Kind::moved, .slot = slot, .to = server_at(port)};
}

Redirect ask(std::uint16_t slot, std::uint16_t port) {
  return {.kind = Redirect::Kind::ask, .slot = slot, .to = server_at(port)};
}

/// Does with the table what its owner does: makes members when they are needed.
class Owner {
 public:
  const Member* follow(const Redirect& redirect, const ServerAddress& from = {}) {
    const auto address = target_of(redirect, from);
    if (!address) return nullptr;
    const auto* known = member_at(table.members(), *address);
    return table.follow(redirect, known != nullptr ? Member(*known) : make(*address));
  }

  MemberChanges<Member> learn(const std::vector<SlotRange>& ranges) {
    auto map = slot_map_of(ranges).value();
    const auto learnt =
        members_for(map.primaries, table.members(), [this](const ServerAddress& address) { return make(address); });
    return table.learn(std::move(map), learnt);
  }

  /// 0: nobody.
  std::uint16_t port_of(std::uint16_t slot) const {
    const auto* primary = table.primary_of(slot);
    return primary == nullptr ? 0 : primary->address.port;
  }

  Table table;

 private:
  Member make(const ServerAddress& address) { return {.address = address, .node = ++made_}; }

  int made_ = 0;
};

class SlotTableTest : public ::testing::Test {
 protected:
  static std::vector<std::uint16_t> ports(const Members& members) {
    std::vector<std::uint16_t> ports;
    for (const auto& member : members) ports.push_back(member.address.port);
    return ports;
  }
  using Ports = std::vector<std::uint16_t>;

  /// Half of the slots each.
  const std::vector<SlotRange> halves{{.first = 0, .last = 8191, .primary = server_at(1)},
                                      {.first = 8192, .last = 16383, .primary = server_at(2)}};
  Owner owner;
};

TEST_F(SlotTableTest, KnowsNobodyAtFirst) {
  EXPECT_EQ(owner.table.primary_of(0), nullptr);
  EXPECT_EQ(owner.table.primary_of(16383), nullptr);
  EXPECT_TRUE(owner.table.primaries().empty());
}

TEST_F(SlotTableTest, TakesALearntMapInAndTellsWhoJoinedAndLeft) {
  EXPECT_EQ(ports(owner.learn(halves).joined), (Ports{1, 2}));
  ASSERT_EQ(owner.port_of(16383), 2);
  const auto stayed = *owner.table.primary_of(16383);
  const auto changes = owner.learn(
      {{.first = 0, .last = 99, .primary = server_at(3)}, {.first = 200, .last = 16383, .primary = server_at(2)}});
  EXPECT_EQ(ports(changes.joined), Ports{3});
  EXPECT_EQ(ports(changes.left), Ports{1});
  EXPECT_EQ(*owner.table.primary_of(16383), stayed);
  EXPECT_EQ(owner.port_of(99), 3);
  EXPECT_EQ(owner.port_of(100), 0);
  EXPECT_EQ(owner.port_of(200), 2);
}

/// What a reply of a primary changes: rows of docs/design.md, "One server, Sentinel, cluster".
struct RedirectCase {
  const char* name;
  std::string_view reply;
  std::uint16_t slot;
  std::string_view leads_to;  ///< "host:port", or nothing if no node can be asked.
  bool gives_slot;
  bool must_learn;
};

class SlotTableRedirect : public ::testing::TestWithParam<RedirectCase> {
 protected:
  Owner owner;
};

TEST_P(SlotTableRedirect, IsFollowedAtOnce) {
  const auto& row = GetParam();
  owner.learn({{.first = 0, .last = 16383, .primary = {.host = "a", .port = 1}}});
  const auto reply = parsed(row.reply);
  ASSERT_EQ(remedy_for(reply), Remedy::follow);
  const auto redirect = redirect_of(reply);
  ASSERT_TRUE(redirect.has_value());
  const ServerAddress from{.host = "a", .port = 1};
  const auto* member = owner.follow(*redirect, from);
  const auto name = member == nullptr ? "" : member->address.host + ":" + std::to_string(member->address.port);
  EXPECT_EQ(name, row.leads_to);
  const auto* primary = owner.table.primary_of(row.slot);
  ASSERT_NE(primary, nullptr);
  EXPECT_EQ(primary->address, row.gives_slot ? member->address : from);
  EXPECT_EQ(owner.table.primary_of(static_cast<std::uint16_t>(row.slot + 1))->address, from);
  const auto doubt = doubt_after(*redirect, from);
  EXPECT_EQ(doubt.has_value(), row.must_learn);
  EXPECT_TRUE(!doubt || doubt->node == from);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, SlotTableRedirect,
    ::testing::Values(RedirectCase{"Moved", "-MOVED 3999 b:7002\r\n", 3999, "b:7002", true, true},
                      RedirectCase{"MovedToAnIpv6Address", "-MOVED 0 ::1:7002\r\n", 0, "::1:7002", true, true},
                      RedirectCase{"MovedToAPortOfTheSameHost", "-MOVED 3999 :7002\r\n", 3999, "a:7002", true, true},
                      RedirectCase{"MovedToANodeWithoutAName", "-MOVED 3999 ?:7002\r\n", 3999, "", false, true},
                      RedirectCase{"MovedToItself", "-MOVED 3999 a:1\r\n", 3999, "a:1", true, true},
                      RedirectCase{"Ask", "-ASK 3999 b:7002\r\n", 3999, "b:7002", false, false},
                      RedirectCase{"AskAPortOfTheSameHost", "-ASK 3999 :7002\r\n", 3999, "a:7002", false, false},
                      RedirectCase{"AskANodeWithoutAName", "-ASK 3999 ?:7002\r\n", 3999, "", false, false}),
    [](const auto& parameter) { return parameter.param.name; });

// If the sender has left, its host is not known any more.
TEST_F(SlotTableTest, FollowsNobodyOnTheHostOfANodeThatIsNotKnown) {
  EXPECT_EQ(owner.follow({.kind = Redirect::Kind::moved, .slot = 1, .to = {.host = "", .port = 7002}}), nullptr);
  EXPECT_TRUE(owner.table.members().empty());
}

TEST_F(SlotTableTest, CountsNoMemberAsAPrimaryThatServesNoSlot) {
  owner.learn(halves);
  owner.follow(ask(5, 3));
  EXPECT_EQ(ports(owner.table.members()), (Ports{1, 2, 3}));
  EXPECT_EQ(ports(owner.table.primaries()), (Ports{1, 2}));
  owner.follow(moved(5, 3));
  EXPECT_EQ(ports(owner.table.primaries()), (Ports{1, 2, 3}));
  EXPECT_EQ(ports(owner.learn(halves).left), Ports{3});
}

// While a member was made for a learnt map, a redirection brought one in: that one is in use.
TEST_F(SlotTableTest, KeepsTheMemberThatJoinedWhileAnotherWasMadeForTheMap) {
  auto map = slot_map_of(halves).value();
  const Members learnt{{.address = server_at(1), .node = 100}, {.address = server_at(2), .node = 200}};
  const auto in_use = *owner.follow(moved(5, 2));
  const auto changes = owner.table.learn(std::move(map), learnt);
  EXPECT_EQ(ports(changes.joined), Ports{1});
  EXPECT_TRUE(changes.left.empty());
  EXPECT_EQ(*owner.table.primary_of(16383), in_use);
}

TEST_F(SlotTableTest, HasRoomForAsManyMembersAsAClusterMayHave) {
  for (std::uint16_t i = 1; i <= Table::most_members; ++i) ASSERT_NE(owner.follow(moved(i, i)), nullptr);
  EXPECT_FALSE(owner.table.has_room());
  EXPECT_EQ(owner.follow(moved(1, 5000)), nullptr);
  EXPECT_EQ(owner.port_of(1), 1);
  EXPECT_NE(owner.follow(moved(1, 1999)), nullptr);
  EXPECT_EQ(owner.port_of(1), 1999);
  owner.learn(halves);
  EXPECT_NE(owner.follow(moved(1, 5000)), nullptr);
}

// A transport that must not wait: its calls go on at once, and a helper learns the map meanwhile.
TEST_F(SlotTableTest, HoldsNoCallUpWhileTheMapIsLearnt) {
  const RefreshGate::Time::time_point begin{std::chrono::hours(1)};
  RefreshGate gate(milliseconds(100));
  std::vector<MapDoubt> helper;
  const auto follow = [&](const Redirect& redirect, int at) {
    const auto* member = owner.follow(redirect);
    const auto doubt = doubt_after(redirect, server_at(1));
    if (doubt && gate.enter(begin + milliseconds(at))) helper.push_back(*doubt);
    return member == nullptr ? std::uint16_t{0} : member->address.port;
  };
  owner.learn(halves);
  EXPECT_EQ(follow(moved(5, 3), 0), 3);
  EXPECT_EQ(helper.size(), 1U);
  EXPECT_EQ(follow(moved(6, 3), 1), 3);
  EXPECT_EQ(follow(ask(7, 4), 2), 4);
  EXPECT_EQ(follow(moved(8, 5), 500), 5);
  EXPECT_EQ(helper.size(), 1U);
  EXPECT_EQ(owner.port_of(5), 3);
  EXPECT_EQ(owner.port_of(8), 5);

  owner.learn(
      {{.first = 0, .last = 8191, .primary = server_at(3)}, {.first = 8192, .last = 16383, .primary = server_at(2)}});
  gate.leave();
  EXPECT_EQ(owner.port_of(8), 3);
  EXPECT_EQ(follow(moved(8, 5), 501), 5);
  EXPECT_EQ(helper.size(), 2U);
}

/// Makes random events, does the same to a table for each slot, and compares.
class RandomWalk {
 public:
  /// Begins with so many members.
  RandomWalk(unsigned seed, std::uint16_t members) : random_(seed) {
    for (std::uint16_t i = 0; i < members; ++i) {
      const auto port = static_cast<std::uint16_t>(i + 1);
      owner_.follow(moved(i, port));
      expected_[i] = port;
    }
  }

  void step() {
    switch (below(10)) {
      case 0:
        learn();
        break;
      case 1:
      case 2:
      case 3:
        follow(ask(slot(), port()));
        break;
      default:
        follow(moved(slot(), port()));
    }
    check();
  }

 private:
  std::uint16_t below(int bound) {
    return static_cast<std::uint16_t>(std::uniform_int_distribution<int>(0, bound - 1)(random_));
  }
  std::uint16_t slot() { return below(slot_count); }
  /// Mostly one of a few, sometimes one that nobody has heard of.
  std::uint16_t port() { return static_cast<std::uint16_t>(1 + (below(8) == 0 ? below(60'000) : below(12))); }

  void follow(const Redirect& redirect) {
    const auto before = owner_.table.members();
    const auto* member = owner_.follow(redirect);
    const auto* known = member_at(before, redirect.to);
    ASSERT_EQ(member == nullptr, known == nullptr && before.size() == Table::most_members);
    if (member == nullptr) return;
    EXPECT_EQ(member->address, redirect.to);
    EXPECT_TRUE(known == nullptr || *member == *known);
    if (redirect.kind == Redirect::Kind::moved) expected_[redirect.slot] = redirect.to.port;
  }

  /// Ranges overlap and leave gaps now and then.
  void learn() {
    std::vector<SlotRange> ranges;
    const auto count = 1 + below(20);
    expected_.assign(slot_count, 0);
    for (int i = 0; i < count; ++i) {
      const auto [first, last] = std::minmax({slot(), slot()});
      ranges.push_back({.first = first, .last = last, .primary = server_at(port())});
      std::fill(expected_.begin() + first, expected_.begin() + last + 1, ranges.back().primary.port);
    }
    const auto before = owner_.table.members();
    const auto changes = owner_.learn(ranges);
    const auto& now = owner_.table.members();
    EXPECT_EQ(owner_.table.primaries(), now) << "a member without slots survived";
    for (const auto& member : before) {
      const auto* kept = member_at(now, member.address);
      EXPECT_TRUE(kept == nullptr || *kept == member);
      EXPECT_EQ(kept == nullptr, is_in(changes.left, member));
    }
    for (const auto& member : now) {
      EXPECT_EQ(member_at(before, member.address) == nullptr, is_in(changes.joined, member));
    }
    EXPECT_EQ(before.size() + changes.joined.size(), now.size() + changes.left.size());
  }

  void check() const {
    const auto& table = owner_.table;
    ASSERT_LE(table.members().size(), Table::most_members);
    std::map<std::uint16_t, int> members;
    for (const auto& member : table.members()) members.emplace(member.address.port, member.node);
    ASSERT_EQ(members.size(), table.members().size()) << "a server is a member twice";
    for (std::size_t i = 0; i < slot_count; ++i) {
      const auto* primary = table.primary_of(static_cast<std::uint16_t>(i));
      ASSERT_EQ(primary == nullptr ? 0 : primary->address.port, expected_[i]) << "slot " << i;
      if (primary != nullptr) {
        ASSERT_TRUE(primary >= &table.members().front() && primary <= &table.members().back()) << "slot " << i;
      }
    }
  }

  std::minstd_rand random_;
  Owner owner_;
  std::vector<std::uint16_t> expected_ = std::vector<std::uint16_t>(slot_count, 0);
};

TEST(SlotTableWalk, PointsEachSlotAtAMemberOrAtNobody) {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomWalk walk(seed, seed % 2 == 0 ? Table::most_members - 5 : 0);
    for (int i = 0; i < 60; ++i) {
      walk.step();
      if (::testing::Test::HasFailure()) return;
    }
  }
}

}}  // namespace obol::redis
