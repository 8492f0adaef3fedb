// Which nodes of a cluster are asked for its slot map, and in which order.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "obol/server_address.hpp"
#include "redis/core/member_list.hpp"
#include "redis/protocol/reply_error.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Why the slot map is learnt anew.
struct MapDoubt {
  enum class Kind {
    unserved,   ///< Nobody is known to serve a slot.
    moved,      ///< `node` has sent a call away for good.
    suspected,  ///< `node` does not serve as it should; perhaps another has taken its place.
  };
  Kind kind = Kind::unserved;
  ServerAddress node{};
};

/// Whether a redirection of the node `from` says that the map is outdated: ASK does not.
inline std::optional<MapDoubt> doubt_after(const Redirect& redirect, const ServerAddress& from) {
  if (redirect.kind == Redirect::Kind::ask) return std::nullopt;
  return MapDoubt{.kind = MapDoubt::Kind::moved, .node = from};
}

template <class Member>
struct MapCandidate {
  Member member;
  bool has_just_answered = false;  ///< So it is asked over a connection that is open.
};

/// The members and the seeds that are none, in another order each time, so that many processes do not all ask the same
/// node. A node that sent a call away knows better and is asked first, and last if that failed; so is a node that is
/// suspected.
template <class Member, class Random>
std::vector<MapCandidate<Member>> map_candidates(const MapDoubt& doubt, std::vector<Member> members,
                                                 const std::vector<Member>& seeds, Random& random) {
  std::vector<MapCandidate<Member>> candidates;
  const auto* sender = doubt.kind == MapDoubt::Kind::moved ? member_at(members, doubt.node) : nullptr;
  if (sender != nullptr) candidates.push_back({.member = *sender, .has_just_answered = true});
  for (const auto& seed : seeds) {
    if (member_at(members, seed.address) == nullptr) members.push_back(seed);
  }
  std::ranges::shuffle(members, random);
  std::ranges::partition(members, [&](const Member& member) { return member.address != doubt.node; });
  for (auto& member : members) candidates.push_back({.member = std::move(member)});
  return candidates;
}

}}}  // namespace obol::v0::redis
