// Checks in the order of their cost.
#include "accounts.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "obol/session_id.hpp"

namespace example {
namespace {

constexpr std::size_t longest_input = 256;

std::unexpected<Refusal> refuse(int status, std::string_view text) {
  return std::unexpected(Refusal{.status = status, .text = std::string(text)});
}

std::unexpected<Refusal> too_many(std::string_view what, std::chrono::seconds wait) {
  return std::unexpected(Refusal{.status = 429,
                                 .text = fmt::format("Too many {}. Try again in {} seconds.", what, wait.count()),
                                 .retry_after = wait});
}

std::unexpected<Refusal> busy() {
  return std::unexpected(Refusal{.status = 503,
                                 .text = "The server is busy. Try again in a few seconds.",
                                 .retry_after = std::chrono::seconds(5)});
}

}  // namespace

std::string account_of(const std::string& name) { return lower_case(std::string_view(name).substr(0, 64)); }

std::expected<User, Refusal> Accounts::sign_up(const std::string& name, const std::string& password,
                                               const std::string& network) {
  for (const auto objection : {objection_to_name(name), objection_to_password(password, name)}) {
    if (!objection.empty()) return refuse(422, objection);
  }
  // A taken name costs no hash. Users::add would reveal the same.
  constexpr std::string_view taken = "That user name is taken.";
  if (users.find_by_name(name)) return refuse(409, taken);
  if (const auto wait = throttle.admit_sign_up(network); wait.count() > 0) return too_many("new accounts", wait);
  auto id = obol::generate_session_id();
  auto hash = passwords.hash(password);
  if (!id || !hash) return busy();
  User user{.id = std::move(*id), .name = name, .password_hash = std::move(*hash)};
  switch (users.add(user)) {
    case Users::Added::name_is_taken:
      return refuse(409, taken);
    case Users::Added::full:
      return refuse(503, "This example has no room for more accounts.");
    case Users::Added::yes:
      break;
  }
  return user;
}

std::expected<void, Refusal> Accounts::verify(const std::optional<User>& user, const std::string& password,
                                              const Attempt& attempt) {
  constexpr std::string_view wrong = "User name or password is wrong.";
  if (password.size() > longest_input) return refuse(401, wrong);
  if (const auto wait = throttle.admit(attempt); wait.count() > 0) return too_many("attempts", wait);
  const auto is_right = passwords.verify(password, user ? user->password_hash : "");
  if (!is_right) return busy();
  if (!*is_right) return refuse(401, wrong);
  throttle.forgive(attempt);
  return {};
}

std::expected<std::string, Refusal> Accounts::change_password(const User& user, const std::string& password,
                                                              const std::string& new_password,
                                                              const std::string& session_id) {
  if (const auto objection = objection_to_password(new_password, user.name); !objection.empty()) {
    return refuse(422, objection);
  }
  constexpr std::string_view wrong = "The current password is wrong.";
  if (auto verified = verify(user, password, {.account = user.name, .known_device = session_id}); !verified) {
    if (verified.error().status == 401) return refuse(401, wrong);
    return std::unexpected(std::move(verified.error()));
  }
  auto hash = passwords.hash(new_password);
  if (!hash) return busy();
  if (!users.replace_password_hash(user.id, user.password_hash, *hash)) return refuse(401, wrong);
  return std::move(*hash);
}

}  // namespace example
