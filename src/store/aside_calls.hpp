// Calls that a thread of their own works for: each ends once, when that is done or when the store is destroyed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "obol/fork_safe_mutex.hpp"

namespace obol { inline namespace v0 {

/// Thread-safe. In a forked child nobody ends the calls of the parent but end_all().
class AsideCalls {
 public:
  using Id = std::uint64_t;
  using End = std::function<void()>;

  /// `end_early` is run by end_all().
  Id add(End end_early) {
    const std::scoped_lock lock(mutex_);
    calls_.emplace(++latest_, std::move(end_early));
    return latest_;
  }

  /// Runs `end` unless the call has ended already.
  template <class EndCall>
  void end(Id id, const EndCall& end) {
    if (!claim(id)) return;
    end();
    forget(id);
  }

  void end_all() {
    while (true) {
      const auto [id, end_early] = claim_first();
      if (!end_early) return;
      end_early();
      forget(id);
    }
  }

  bool empty() const {
    const std::scoped_lock lock(mutex_);
    return calls_.empty();
  }

 private:
  bool claim(Id id) {
    const std::scoped_lock lock(mutex_);
    const auto call = calls_.find(id);
    return call != calls_.end() && std::exchange(call->second, nullptr) != nullptr;
  }
  std::pair<Id, End> claim_first() {
    const std::scoped_lock lock(mutex_);
    for (auto& [id, end_early] : calls_) {
      if (end_early) return {id, std::exchange(end_early, nullptr)};
    }
    return {};
  }
  void forget(Id id) {
    const std::scoped_lock lock(mutex_);
    calls_.erase(id);
  }

  mutable ForkSafeMutex mutex_;
  std::map<Id, End> calls_;  ///< Without an End if somebody is ending the call.
  Id latest_ = 0;
};

}}  // namespace obol::v0
