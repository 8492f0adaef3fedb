// User accounts in memory; they end with the process. A real server keeps them in its database.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace example {

struct User {
  std::string id{};  ///< Random: if a name is given up and taken again, it must not inherit sessions.
  std::string name{};
  std::string password_hash{};
};

/// Normalises a name for comparison.
std::string lower_case(std::string_view text);

/// Why a name or password is refused, as a text for the user; empty if it is accepted.
std::string_view objection_to_name(std::string_view name);
std::string_view objection_to_password(std::string_view password, std::string_view name);

/// Thread-safe. Names are compared without regard to case.
class Users {
 public:
  enum class Added { yes, name_is_taken, full };
  Added add(User user);
  std::optional<User> find_by_name(std::string_view name) const;
  std::optional<User> find_by_id(const std::string& id) const;

  /// False if the hash is no longer `old_hash`: the check of that password is outdated then.
  bool replace_password_hash(const std::string& id, const std::string& old_hash, std::string new_hash);

 private:
  static constexpr std::size_t most_users = 100'000;
  mutable std::mutex mutex_;
  std::map<std::string, User> users_;       ///< By id.
  std::map<std::string, std::string> ids_;  ///< By name in lower case.
};

}  // namespace example
