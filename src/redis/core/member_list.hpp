// A list of servers that is learnt anew from time to time, with what its owner keeps for each of them.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "obol/server_address.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// A member has an `address`. The rest of it is its owner's, and cheap to copy: handles.
template <class Member>
const Member* member_at(const std::vector<Member>& members, const ServerAddress& address) {
  const auto member = std::ranges::find(members, address, &Member::address);
  return member == members.end() ? nullptr : &*member;
}

/// A member for each address, in their order: one of `members`, or what `make` makes of the address. An address that is
/// told twice counts once.
template <class Member, class Make>
std::vector<Member> members_for(const std::vector<ServerAddress>& addresses, const std::vector<Member>& members,
                                Make make) {
  std::vector<Member> all;
  all.reserve(addresses.size());
  for (const auto& address : addresses) {
    if (member_at(all, address) != nullptr) continue;
    const auto* known = member_at(members, address);
    all.push_back(known != nullptr ? *known : make(address));
  }
  return all;
}

/// Those that are in neither stayed.
template <class Member>
struct MemberChanges {
  std::vector<Member> joined{};
  std::vector<Member> left{};
};

/// From now on the members are those of `learnt`, in that order. A server that is a member already keeps what it has.
/// Changes nothing if it throws.
template <class Member>
MemberChanges<Member> replace_members(std::vector<Member>& members, const std::vector<Member>& learnt) {
  MemberChanges<Member> changes;
  std::vector<Member> now;
  now.reserve(learnt.size());
  for (const auto& member : learnt) {
    const auto* known = member_at(members, member.address);
    now.push_back(known != nullptr ? *known : member);
    if (known == nullptr) changes.joined.push_back(member);
  }
  for (const auto& member : members) {
    if (member_at(now, member.address) == nullptr) changes.left.push_back(member);
  }
  std::swap(members, now);
  return changes;
}

}}}  // namespace obol::v0::redis
