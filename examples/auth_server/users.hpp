// The user accounts, in memory: they end with the process. A real server keeps them in its database.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace auth_server {

struct User {
  std::string id{};  ///< Random: a name that is given up and taken again must not inherit sessions.
  std::string name{};
  std::string password_hash{};
};

/// As names are compared.
std::string lower_case(std::string_view text);

/// Why a name or password is not accepted, for the one who chose it; empty where it is.
std::string_view objection_to_name(std::string_view name);
std::string_view objection_to_password(std::string_view password, std::string_view name);

/// Thread-safe. Names are compared without regard to case.
class Users {
 public:
  enum class Added { yes, name_is_taken, full };
  Added add(User user);
  std::optional<User> find_by_name(std::string_view name) const;
  std::optional<User> find_by_id(const std::string& id) const;

  /// False if it is no longer `old_hash`: what was allowed by that password is not any more.
  bool replace_password_hash(const std::string& id, const std::string& old_hash, std::string new_hash);

 private:
  static constexpr std::size_t most_users = 100'000;
  mutable std::mutex mutex_;
  std::map<std::string, User> users_;       ///< By id.
  std::map<std::string, std::string> ids_;  ///< By name in lower case.
};

}  // namespace auth_server
