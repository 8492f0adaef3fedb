// Accounts in two maps, and the rules for names and passwords.
#include "users.hpp"

#include <algorithm>
#include <utility>

namespace example {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string_view objection_to_name(std::string_view name) {
  if (name.empty() || name.size() > 32) return "A user name has 1 to 32 characters.";
  if (!std::ranges::all_of(name, is_name_character)) return "A user name has only letters, digits, dot, - and _.";
  return {};
}

// After NIST SP 800-63B: length counts, composition does not. A real server also refuses well-known passwords.
std::string_view objection_to_password(std::string_view password, std::string_view name) {
  if (password.size() < 10) return "Choose a password of at least 10 characters.";
  if (password.size() > 256) return "Choose a password of at most 256 characters.";
  if (lower_case(password) == lower_case(name)) return "Choose a password that is not your user name.";
  return {};
}

Users::Added Users::add(User user) {
  const std::scoped_lock lock(mutex_);
  if (ids_.contains(lower_case(user.name))) return Added::name_is_taken;
  if (users_.size() >= most_users) return Added::full;
  ids_.emplace(lower_case(user.name), user.id);
  auto id = user.id;
  users_.emplace(std::move(id), std::move(user));
  return Added::yes;
}

std::optional<User> Users::find_by_name(std::string_view name) const {
  const std::scoped_lock lock(mutex_);
  const auto id = ids_.find(lower_case(name));
  return id == ids_.end() ? std::nullopt : std::optional(users_.at(id->second));
}

std::optional<User> Users::find_by_id(const std::string& id) const {
  const std::scoped_lock lock(mutex_);
  const auto user = users_.find(id);
  return user == users_.end() ? std::nullopt : std::optional(user->second);
}

bool Users::replace_password_hash(const std::string& id, const std::string& old_hash, std::string new_hash) {
  const std::scoped_lock lock(mutex_);
  const auto user = users_.find(id);
  if (user == users_.end() || user->second.password_hash != old_hash) return false;
  user->second.password_hash = std::move(new_hash);
  return true;
}

}  // namespace example
