// Which primary of a cluster serves which slot, as far as redirections and learnt slot maps have told.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "obol/server_address.hpp"
#include "redis/core/member_list.hpp"
#include "redis/core/slot_map.hpp"
#include "redis/protocol/key_slot.hpp"
#include "redis/protocol/reply_error.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// The server that a redirection of the node `from` leads to. Nothing if it cannot be called by any name: a node that
/// prefers a name and has none calls itself "?".
inline std::optional<ServerAddress> target_of(const Redirect& redirect, const ServerAddress& from) {
  const auto& host = redirect.to.host.empty() ? from.host : redirect.to.host;
  if (host.empty() || host == "?") return std::nullopt;
  return ServerAddress{.host = host, .port = redirect.to.port};
}

/// `Member`: see member_list.hpp. Members come by redirections and learnt maps, and leave by learnt maps only. A
/// redirection needs no learnt map to be followed; members are made by the owner, before they are given to the table
/// and without whatever guards it. Not thread-safe.
template <class Member>
class SlotTable {
 public:
  static constexpr std::size_t most_members = SlotMap::most_primaries;

  /// Null: nobody is known to serve the slot. The pointer is good until the table changes.
  const Member* primary_of(std::uint16_t slot) const {
    const auto index = slots_[slot];
    return index == SlotMap::nobody ? nullptr : &members_[index];
  }

  /// Also those to whom redirections led and that serve no slot.
  const std::vector<Member>& members() const { return members_; }

  /// The members that serve a slot.
  std::vector<Member> primaries() const {
    std::vector<bool> serves(members_.size());
    for (const auto index : slots_) {
      if (index != SlotMap::nobody) serves[index] = true;
    }
    std::vector<Member> primaries;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (serves[i]) primaries.push_back(members_[i]);
    }
    return primaries;
  }

  bool has_room() const { return members_.size() < most_members; }

  /// MOVED gives the slot to `target`, ASK leaves the map as it is. The server becomes a member unless it is one; then
  /// that member is returned. Null, and nothing changes, if there is no room.
  const Member* follow(const Redirect& redirect, const Member& target) {
    auto member = std::ranges::find(members_, target.address, &Member::address);
    if (member == members_.end()) {
      if (!has_room()) return nullptr;
      member = members_.insert(members_.end(), target);
    }
    if (redirect.kind == Redirect::Kind::moved) {
      slots_[redirect.slot] = static_cast<SlotMap::Index>(member - members_.begin());
    }
    return &*member;
  }

  /// Takes a learnt map in, whatever redirections have told before. `learnt`: for each of its primaries a member, in
  /// their order; see members_for(). Servers that serve no slot leave. Changes nothing if it throws.
  MemberChanges<Member> learn(SlotMap map, const std::vector<Member>& learnt) {
    auto changes = replace_members(members_, learnt);
    slots_ = std::move(map.slots);
    return changes;
  }

 private:
  std::vector<Member> members_;
  std::vector<SlotMap::Index> slots_ = std::vector<SlotMap::Index>(slot_count, SlotMap::nobody);
};

}}}  // namespace obol::v0::redis
