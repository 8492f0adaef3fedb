// Which replicas of a primary may be read from now.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <random>
#include <utility>
#include <vector>

#include "obol/server_address.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/member_list.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// `Member`: see member_list.hpp. What the primary has told holds for `max_lag`. Not thread-safe.
template <class Member>
class ReplicaTable {
 public:
  using TimePoint = Deadline::Time::time_point;

  /// A read that asks the primary first may take one of so many equal parts of its time for that: what is known serves
  /// on if the primary does not answer, and then a replica must be asked.
  static constexpr std::size_t parts = 2;

  explicit ReplicaTable(std::chrono::seconds max_lag) : max_lag_(max_lag) {}

  /// Any one of those that are not avoided. Null if there is none, or the primary has not answered for `max_lag`. The
  /// pointer is good until the table changes.
  template <class Random>
  const Member* pick(TimePoint now, Random& random) const {
    if (now >= known_until_ || usable_.empty()) return nullptr;
    std::uniform_int_distribution<std::size_t> any(0, usable_.size() - 1);
    return &members_[usable_[any(random)]];
  }

  /// It did not answer: not again before the primary has been asked anew.
  void avoid(const ServerAddress& replica) {
    std::erase_if(usable_, [&](std::size_t index) { return members_[index].address == replica; });
  }

  const std::vector<Member>& members() const { return members_; }

  /// The primary, asked at `asked_at`, has told of these; see members_for(). The others leave. Changes nothing if it
  /// throws.
  MemberChanges<Member> learn(const std::vector<Member>& learnt, TimePoint asked_at) {
    std::vector<std::size_t> all;
    all.reserve(learnt.size());
    for (std::size_t i = 0; i < learnt.size(); ++i) all.push_back(i);
    auto changes = replace_members(members_, learnt);
    usable_ = std::move(all);
    known_until_ = asked_at + max_lag_;
    return changes;
  }

 private:
  const std::chrono::seconds max_lag_;
  std::vector<Member> members_;
  std::vector<std::size_t> usable_;  ///< Positions among the members.
  TimePoint known_until_{};
};

}}}  // namespace obol::v0::redis
