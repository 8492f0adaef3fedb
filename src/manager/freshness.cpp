// Decides about refresh tokens by generations.
#include "manager/freshness.hpp"

#include <algorithm>

#include "obol/session_limits.hpp"

namespace obol { inline namespace v0 { namespace manager {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

}  // namespace

sys_seconds saturating_add(sys_seconds time, seconds duration) {
  seconds::rep sum = 0;
  if (__builtin_add_overflow(time.time_since_epoch().count(), duration.count(), &sum)) {
    return duration < seconds::zero() ? sys_seconds::min() : sys_seconds::max();
  }
  return sys_seconds(seconds(sum));
}

RefreshDecision decide_refresh(const Session& session, const PresentedToken& token, sys_seconds now,
                               const FreshnessOptions& options) {
  if (token.session != session.key()) return RefreshDecision::other_session;
  if (token.expires_at <= now || end_of_life(session) <= now) return RefreshDecision::expired;
  const bool is_settled = saturating_add(session.tokens_fresh_from, options.overlap) < now;
  const auto fresh_from = is_settled ? session.tokens_fresh_from : session.prev_tokens_fresh_from;
  if (saturating_add(token.issued_at, options.drift) < fresh_from) return RefreshDecision::reuse;
  return is_settled ? RefreshDecision::rotate : RefreshDecision::join;
}

void start_generation(Session& session, sys_seconds now) {
  session.prev_tokens_fresh_from = session.tokens_fresh_from;
  session.tokens_fresh_from = now;
}

sys_seconds issue_time(const Session& session, sys_seconds now) { return std::max(now, session.tokens_fresh_from); }

}}}  // namespace obol::v0::manager
