#include "history/manager_history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

namespace obol::testing::history {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

/// All that happened to one session.
class SessionHistory {
 public:
  void add(const ManagerCall& call) { calls_.push_back(&call); }
  void add(const EndedByReuse& ended) { acknowledged_end_ = std::min(acknowledged_end_, ended.time); }

  void check(seconds overlap, seconds drift, std::vector<std::string>& broken) {
    for (const auto* const call : calls_) note(*call);
    check_versions(broken);
    for (const auto* const call : calls_) {
      const auto complain = [&](const char* what) {
        broken.push_back(
            fmt::format("session {}, call from {} to {} ns: {}", call->session, call->start, call->end, what));
      };
      if (call->outcome == ManagerOutcome::done && call->operation != ManagerOperation::log_out) {
        if (call->start > acknowledged_end_) complain("somebody was logged in after the session's acknowledged end");
        if (call->operation == ManagerOperation::refresh && was_replaced(*call, overlap, drift)) {
          complain("a token was accepted that had been replaced");
        }
      }
      if (call->outcome == ManagerOutcome::nobody && !has_reason(*call)) {
        complain("nobody was logged in, but nothing can have ended the session");
      }
    }
  }

 private:
  struct Shown {
    Issued issued;
    Time start;
    Time end;
  };

  void note(const ManagerCall& call) {
    if (call.operation == ManagerOperation::log_out) {
      possible_end_ = std::min(possible_end_, call.start);
      if (call.outcome == ManagerOutcome::done) acknowledged_end_ = std::min(acknowledged_end_, call.end);
    } else if (call.outcome == ManagerOutcome::done && call.operation != ManagerOperation::authenticate) {
      shown_.push_back({.issued = call.given, .start = call.start, .end = call.end});
    }
    // It may have begun a generation that nobody has seen, so that the tokens before are reused ones.
    if (call.operation == ManagerOperation::refresh && call.outcome == ManagerOutcome::unknown) {
      possible_end_ = std::min(possible_end_, call.start);
    }
  }

  void check_versions(std::vector<std::string>& broken) {
    std::map<std::uint64_t, sys_seconds> generations;
    for (const auto& each : shown_) {
      const auto [known, is_new] = generations.emplace(each.issued.version, each.issued.generation);
      if (!is_new && known->second != each.issued.generation) {
        broken.push_back(
            fmt::format("session {}: version {} has two generations", calls_.front()->session, each.issued.version));
      }
    }
    auto latest = sys_seconds::min();
    for (const auto& [version, generation] : generations) {
      if (generation < latest) {
        broken.push_back(
            fmt::format("session {}: version {} has an older generation", calls_.front()->session, version));
      }
      latest = std::max(latest, generation);
    }
  }

  /// A newer generation was known before the call, and settled, or yet another one was known.
  bool was_replaced(const ManagerCall& call, seconds overlap, seconds drift) const {
    std::vector<sys_seconds> newer;
    for (const auto& each : shown_) {
      if (each.end < call.start && each.issued.generation > call.presented.issued_at + drift) {
        newer.push_back(each.issued.generation);
      }
    }
    if (newer.empty()) return false;
    const auto [oldest, newest] = std::ranges::minmax(newer);
    return oldest != newest || oldest + overlap < call.clock_at_start;
  }

  bool has_reason(const ManagerCall& call) const {
    if (possible_end_ < call.end || acknowledged_end_ < call.end) return true;
    // It, or another call, may have presented a token that was replaced.
    return std::ranges::any_of(calls_, [&](const ManagerCall* other) {
      return other->operation == ManagerOperation::refresh && other->start <= call.end &&
             std::ranges::any_of(shown_, [&](const Shown& each) {
               return each.start < std::max(call.end, other->end) &&
                      each.issued.generation > other->presented.issued_at;
             });
    });
  }

  static constexpr Time never = std::numeric_limits<Time>::max();

  std::vector<const ManagerCall*> calls_;
  std::vector<Shown> shown_;
  Time acknowledged_end_ = never;
  Time possible_end_ = never;
};

}  // namespace

std::vector<std::string> check_managers(const std::vector<ManagerCall>& calls, const std::vector<EndedByReuse>& ended,
                                        seconds overlap, seconds drift) {
  std::map<std::uint32_t, SessionHistory> sessions;
  for (const auto& call : calls) sessions[call.session].add(call);
  for (const auto& each : ended) sessions[each.session].add(each);
  std::vector<std::string> broken;
  for (auto& [number, session] : sessions) session.check(overlap, drift, broken);
  return broken;
}

}  // namespace obol::testing::history
