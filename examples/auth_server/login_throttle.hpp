// How often somebody may try passwords. An attacker slows down himself, not the owner of the account: attempts count by
// account and network together, and a browser that has logged in to the account before has a count of its own.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace auth_server {

/// Who tries.
struct Attempt {
  std::string account{};       ///< The name that was typed, whether there is such a user or not.
  std::string network{};       ///< Device::place.
  std::string known_device{};  ///< Not empty: proven to have logged in to this account before.
};

/// Thread-safe. Remembers an attempt for less than half an hour, and no more than attempts that cost a password hash.
class LoginThrottle {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;
  explicit LoginThrottle(Clock clock = [] { return std::chrono::steady_clock::now(); }) : clock_(std::move(clock)) {}

  /// Counts an attempt; 0 lets it through, else it is not counted and has to wait so long.
  std::chrono::seconds admit(const Attempt& attempt);

  /// Takes the attempt back: the password was right.
  void forgive(const Attempt& attempt);

 private:
  /// So many at once, and then one each interval.
  struct Limit {
    std::string key;
    int burst;
    std::chrono::seconds interval;
  };
  static std::vector<Limit> limits_for(const Attempt& attempt);
  void forget_old(std::chrono::steady_clock::time_point now);

  Clock clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::chrono::steady_clock::time_point> paid_until_;
  std::size_t forget_at_ = 1024;
};

}  // namespace auth_server
