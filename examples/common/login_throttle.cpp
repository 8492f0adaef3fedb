// A leaky bucket for each key, stored as one point in time (the generic cell rate algorithm). Each attempt moves it on
// by the interval. It may be ahead of now by as many intervals as the burst allows.
#include "login_throttle.hpp"

#include <algorithm>

namespace example {

using std::chrono::seconds;

std::vector<LoginThrottle::Limit> LoginThrottle::limits_for(const Attempt& attempt) {
  if (!attempt.known_device.empty()) return {{{Counted::device, attempt.known_device, {}}, 10, seconds(30)}};
  return {{{Counted::account_on_network, attempt.account, attempt.network}, 5, seconds(60)},
          {{Counted::account, attempt.account, {}}, 30, seconds(20)},
          {{Counted::network, attempt.network, {}}, 60, seconds(2)}};
}

std::vector<LoginThrottle::Limit> LoginThrottle::sign_up_limits_for(const std::string& network) {
  return {{{Counted::sign_ups_of_network, network, {}}, 20, seconds(30)},
          {{Counted::network, network, {}}, 60, seconds(2)}};
}

seconds LoginThrottle::admit_within(const std::vector<Limit>& limits) {
  const std::scoped_lock lock(mutex_);
  const auto now = clock_();
  forget_old(now);
  seconds wait{0};
  for (const auto& [key, burst, interval] : limits) {
    const auto found = paid_until_.find(key);
    const auto paid_until = found == paid_until_.end() ? now : std::max(now, found->second);
    const auto earliest = paid_until - (burst - 1) * interval;
    if (earliest > now) wait = std::max(wait, std::chrono::ceil<seconds>(earliest - now));
  }
  if (wait > seconds(0)) return wait;
  for (const auto& [key, burst, interval] : limits) {
    auto& paid_until = paid_until_[key];
    paid_until = std::max(now, paid_until) + interval;
  }
  return wait;
}

void LoginThrottle::forgive(const Attempt& attempt) {
  const std::scoped_lock lock(mutex_);
  for (const auto& limit : limits_for(attempt)) {
    if (const auto paid_until = paid_until_.find(limit.key); paid_until != paid_until_.end()) {
      paid_until->second -= limit.interval;
    }
  }
}

void LoginThrottle::forget_old(std::chrono::steady_clock::time_point now) {
  if (paid_until_.size() < forget_at_) return;
  std::erase_if(paid_until_, [now](const auto& entry) { return entry.second <= now; });
  forget_at_ = std::max<std::size_t>(1024, paid_until_.size() * 2);
}

}  // namespace example
