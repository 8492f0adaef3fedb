// Limits password attempts and sign-ups, each of which costs a password hash. An attacker slows down only himself, not
// the owner of the account: attempts are counted by account and network together, and a browser that has logged in to
// the account before has its own count.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

namespace example {

/// The source of an attempt.
struct Attempt {
  std::string account{};       ///< The typed name, even if there is no such user.
  std::string network{};       ///< Device::place.
  std::string known_device{};  ///< Not empty if this device has proved an earlier login to this account.
};

/// Thread-safe. Remembers an attempt for less than half an hour, and only attempts that cost a password hash.
class LoginThrottle {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;
  explicit LoginThrottle(Clock clock = [] { return std::chrono::steady_clock::now(); }) : clock_(std::move(clock)) {}

  /// Counts an attempt and returns 0, or returns how long to wait without counting it.
  std::chrono::seconds admit(const Attempt& attempt) { return admit_within(limits_for(attempt)); }

  /// The same for a sign-up. Only the network (Device::place) distinguishes clients.
  std::chrono::seconds admit_sign_up(const std::string& network) { return admit_within(sign_up_limits_for(network)); }

  /// Takes the attempt back: the password was right.
  void forgive(const Attempt& attempt);

 private:
  /// Key of a counter. Its parts are separate, so no typed name can equal the key of another counter.
  enum class Counted { account_on_network, account, network, device, sign_ups_of_network };
  using Key = std::tuple<Counted, std::string, std::string>;

  /// Allows a burst, and then one attempt per interval.
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

}  // namespace example
