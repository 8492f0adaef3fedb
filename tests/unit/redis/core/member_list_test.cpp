// Who joins, stays and leaves when a list of servers is learnt anew.
#include "redis/core/member_list.hpp"

#include <gtest/gtest.h>

#include "support/server_addresses.hpp"

namespace obol::redis { namespace {

using obol::testing::server_at;

struct Member {
  ServerAddress address{};
  int node = 0;

  bool operator==(const Member&) const = default;
};
using Members = std::vector<Member>;

Member member(std::uint16_t port, int node) { return {.address = server_at(port), .node = node}; }

TEST(MemberListTest, MakesNothingForServersThatAreMembers) {
  std::vector<ServerAddress> made;
  const auto all = members_for({server_at(3), server_at(1), server_at(3)}, Members{member(1, 10), member(2, 20)},
                               [&](const ServerAddress& address) {
                                 made.push_back(address);
                                 return Member{.address = address, .node = 99};
                               });
  EXPECT_EQ(all, (Members{member(3, 99), member(1, 10)}));
  EXPECT_EQ(made, std::vector{server_at(3)});
}

TEST(MemberListTest, TellsWhoJoinedAndWhoLeftAndTheOthersStay) {
  Members members{member(1, 10), member(2, 20), member(3, 30)};
  const auto changes = replace_members(members, Members{member(4, 40), member(2, 20)});
  EXPECT_EQ(members, (Members{member(4, 40), member(2, 20)}));
  EXPECT_EQ(changes.joined, (Members{member(4, 40)}));
  EXPECT_EQ(changes.left, (Members{member(1, 10), member(3, 30)}));
}

// It became one while another was made for it.
TEST(MemberListTest, LetsAMemberKeepWhatItHas) {
  Members members{member(1, 10)};
  const auto changes = replace_members(members, Members{member(1, 11)});
  EXPECT_EQ(members, (Members{member(1, 10)}));
  EXPECT_TRUE(changes.joined.empty());
  EXPECT_TRUE(changes.left.empty());
}

}}  // namespace obol::redis
