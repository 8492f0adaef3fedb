// How often somebody may try passwords and sign up, each of which costs a password hash. An attacker slows down
// himself, not the owner of the account: attempts count by account and network together, and a browser that has logged
// in to the account before has a count of its own.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
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
  std::chrono::seconds admit(const Attempt& attempt) { return admit_within(limits_for(attempt)); }

  /// The same for a sign-up: there is nothing but the network (Device::place) to tell one client from another.
  std::chrono::seconds admit_sign_up(const std::string& network) { return admit_within(sign_up_limits_for(network)); }

  /// Takes the attempt back: the password was right.
  void forgive(const Attempt& attempt);

 private:
  /// What is counted. The parts stand apart, so that no name that somebody types can be the key of something else.
  enum class Counted { account_on_network, account, network, device, sign_ups_of_network };
  using Key = std::tuple<Counted, std::string, std::string>;

  /// So many at once, and then one each interval.
  struct Limit {
    Key key;
    int burst;
    std::chrono::seconds interval;
  };
  static std::vector<Limit> limits_for(const Attempt& attempt);
  static std::vector<Limit> sign_up_limits_for(const std::string& network);
  std::chrono::seconds admit_within(const std::vector<Limit>& limits);
  void forget_old(std::chrono::steady_clock::time_point now);

  Clock clock_;
  std::mutex mutex_;
  std::map<Key, std::chrono::steady_clock::time_point> paid_until_;
  std::size_t forget_at_ = 1024;
};

}  // namespace auth_server
