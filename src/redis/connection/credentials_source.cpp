// Keeps the current credentials, and asks for new ones outside the lock.
#include "redis/connection/credentials_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "redis/connection/password_file.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr std::chrono::milliseconds longest_validity{std::chrono::hours(24 * 30)};
constexpr std::chrono::milliseconds shortest_renewal{100};
constexpr std::chrono::seconds pause_after_failure{1};

bool same(const UserCredentials& left, const UserCredentials& right) {
  return left.username == right.username && left.password == right.password;
}

/// What the host's function says, whatever it does.
Result<UserCredentials> ask_provider(const CredentialsProvider& provider, std::string_view options_name) {
  const auto failed = [&](std::string_view why) {
    return std::unexpected(Error{ErrorCode::auth, fmt::format("{}.credentials {}", options_name, why)});
  };
  try {
    auto credentials = provider();
    if (!credentials) return failed(fmt::format("returned an error: {}", credentials.error().message));
    return credentials;
  } catch (...) {
    return failed("threw an exception");
  }
}

}  // namespace

CredentialsSource::CredentialsSource(const ConnectionOptions& options)
    : CredentialsSource("connection", {.username = options.username, .password = options.password},
                        options.password_file, options.credentials) {}

CredentialsSource::CredentialsSource(const SentinelOptions& options)
    : CredentialsSource("connection.sentinel", {.username = options.username, .password = options.password},
                        options.password_file, options.credentials) {}

CredentialsSource::CredentialsSource(std::string_view options_name, UserCredentials fixed, std::string password_file,
                                     CredentialsProvider provider)
    : options_name_(options_name),
      fixed_(std::move(fixed)),
      password_file_(std::move(password_file)),
      provider_(std::move(provider)),
      fork_registration_(mutex_, [] {}) {}

Result<CredentialsSource::Asked> CredentialsSource::ask() {
  Asked asked;
  CredentialsProvider provider;
  std::string file;
  {
    const std::scoped_lock lock(mutex_);
    asked = {.credentials = fixed_, .number = ++asked_};
    provider = provider_;
    file = password_file_;
  }
  if (provider) {
    auto given = ask_provider(provider, options_name_);
    if (!given) return std::unexpected(std::move(given.error()));
    asked.credentials = std::move(*given);
  } else if (!file.empty()) {
    auto password = read_password_file(file);
    if (!password) return std::unexpected(std::move(password.error()));
    asked.credentials.password = std::move(*password);
  }
  return asked;
}

CredentialsSource::Generation CredentialsSource::adopt(const Asked& asked) {
  const auto now = Deadline::Time::now();
  const std::scoped_lock lock(mutex_);
  if (asked.number >= adopted_) {
    adopted_ = asked.number;
    if (!current_ || !same(*current_, asked.credentials)) {
      current_ = asked.credentials;
      generation_.fetch_add(1, std::memory_order_release);
    }
    set_due(asked.credentials, now);
  }
  return same(*current_, asked.credentials) ? generation() : outdated;
}

void CredentialsSource::replace(UserCredentials credentials) {
  const std::scoped_lock lock(mutex_);
  adopted_ = ++asked_;
  fixed_ = std::move(credentials);
  password_file_.clear();
  provider_ = {};
  was_replaced_ = true;
  current_ = fixed_;
  generation_.fetch_add(1, std::memory_order_release);
  due_.store(Time::max(), std::memory_order_relaxed);
}

void CredentialsSource::renew_if_due(Time now) {
  if (!is_renewal_due(now)) return;
  {
    const std::scoped_lock lock(mutex_);
    if (!is_renewal_due(now)) return;
    due_.store(now + pause_after_failure, std::memory_order_relaxed);
  }
  if (const auto asked = ask()) adopt(*asked);
}

CurrentCredentials CredentialsSource::current() const {
  const std::scoped_lock lock(mutex_);
  return {.credentials = current_.value_or(fixed_), .generation = generation()};
}

std::string CredentialsSource::origin() const {
  const std::scoped_lock lock(mutex_);
  if (was_replaced_) return "a call that replaced them";
  if (provider_) return options_name_ + ".credentials";
  if (!password_file_.empty()) return fmt::format("{}.password_file {}", options_name_, password_file_);
  return fmt::format("{0}.username and {0}.password", options_name_);
}

// Under the lock.
void CredentialsSource::set_due(const UserCredentials& credentials, Time now) {
  auto due = Time::max();
  if (credentials.valid_for.count() != 0) {
    due = now + std::clamp(credentials.valid_for / 4 * 3, shortest_renewal, longest_validity);
  }
  due_.store(due, std::memory_order_relaxed);
}

}}}  // namespace obol::v0::redis
