// Walks through the sessions of a user who has far too many, and decides which of them are evicted.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "obol/session_policy.hpp"
#include "redis/protocol/command.hpp"
#include "store/session_commands.hpp"

namespace obol { inline namespace v0 {

/// Looks at some sessions at a time and evicts all but as many as leave room for one more: those that expire last. What
/// is evicted stays so, also if the walk ends early.
class ThinningOut {
 public:
  /// Servers may show nothing for some steps. More in a row than any hash table takes means that a walk has no end.
  static constexpr std::size_t most_idle_steps = 1000;

  /// `max_sessions` must be more than 0, and must outlive this.
  explicit ThinningOut(const SessionPolicy& policy) : policy_(policy) {}

  /// The next step.
  redis::Command command(std::string_view stored_key) const { return thin_out_command(stored_key, cursor_, doomed_); }

  enum class Next {
    step,     ///< Go on with command().
    done,     ///< There is room.
    refused,  ///< The policy wants nobody evicted.
    endless,  ///< The server shows nothing new and does not come to an end.
  };
  /// What the step has given.
  Next take(ThinnedOut&& thinned);

 private:
  const SessionPolicy& policy_;
  std::string cursor_ = "0";  ///< Empty: all were looked at.
  std::set<ExpiringId> kept_{};
  std::vector<ExpiringId> doomed_{};
  std::size_t idle_steps_ = 0;
};

}}  // namespace obol::v0
