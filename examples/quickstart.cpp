// The main use in one program: logins, a refresh by two tabs, the user's devices, logging the others out, a stolen
// token. Usage: quickstart [redis://host:port | unix:///path]     Without an address, sessions are kept in this
// process.
#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "obol/obol.hpp"

namespace {

using obol::LoggedIn;
using obol::SessionManager;

// The host's own data in a session, and its conversion to bytes.
struct Device {
  std::string name;
};

}  // namespace

template <>
struct obol::PayloadCodec<Device> {
  static std::string encode(const Device& device) { return device.name; }
  static obol::Result<Device> decode(std::string_view bytes) { return Device{std::string(bytes)}; }
};

namespace {

[[noreturn]] void fail(std::string_view what, const obol::Error& error) {
  fmt::print(stderr, "{}: {} ({})\n", what, error.message, error.code.message());
  std::exit(1);
}

template <class T>
T value_or_exit(obol::Result<T> result, std::string_view what) {
  if (!result) fail(what, result.error());
  return std::move(*result);
}

void done_or_exit(const obol::Result<obol::Deleted>& result, std::string_view what) {
  if (!result) fail(what, result.error());
}

obol::Keyring keyring() {
  std::string secret;
  if (const char* given = std::getenv("OBOL_SECRET"); given != nullptr) {
    secret = given;
  } else {
    fmt::print("OBOL_SECRET is not set: signing with a random key for this run.\n");
    for (int i = 0; i < 2; ++i) secret += value_or_exit(obol::generate_session_id(), "no secret");
  }
  return value_or_exit(obol::Keyring::from_base_secret(secret), "bad OBOL_SECRET");
}

std::shared_ptr<obol::SessionStore> open_store(const char* uri, const obol::Keyring& keyring) {
  if (uri == nullptr) return std::make_shared<obol::MemoryStore>();
  obol::RedisStoreOptions options{.connection = value_or_exit(obol::ConnectionOptions::from_uri(uri), "bad address"),
                                  .keyring = keyring};
  return std::make_shared<obol::RedisStore>(value_or_exit(obol::RedisStore::connect(std::move(options)), "no store"));
}

// A real server takes the time before it reads the password's hash, and then verifies the password.
LoggedIn log_in(SessionManager& manager, const std::string& user, const std::string& device) {
  const auto hash_read_at = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  auto login =
      value_or_exit(manager.log_in(user, obol::PayloadCodec<Device>::encode({device}), hash_read_at), "login failed");
  fmt::print("  {} logged in: access token {}…, session {}\n", device, login.tokens.access.substr(0, 8),
             obol::session_id_hash(login.session.id));
  return login;
}

void refresh(SessionManager& manager, std::string_view who, const std::string& refresh_token) {
  const auto refreshed = value_or_exit(manager.refresh(refresh_token), "not refreshed");
  if (refreshed) {
    fmt::print("  {} has new tokens; the session was written {} times\n", who, refreshed->session.lock_version);
  } else {
    fmt::print("  {} gets nothing\n", who);
  }
}

void show_sender(SessionManager& manager, std::string_view who, const std::string& access_token) {
  const auto sender = value_or_exit(manager.authenticate(access_token), "not identified");
  fmt::print("  {} is {}\n", who, sender ? "logged in" : "logged out");
}

void list(SessionManager& manager, const std::string& user) {
  for (const auto& session : value_or_exit(manager.list(user), "no list")) {
    fmt::print("  {}\n", value_or_exit(session.payload<Device>(), "no device").name);
  }
}

void run(const char* uri) {
  auto time_passed = std::chrono::seconds(0);
  obol::SessionManagerOptions options{.keyring = keyring()};
  options.clock = [&time_passed] { return std::chrono::system_clock::now() + time_passed; };
  auto manager = value_or_exit(SessionManager::create(open_store(uri, options.keyring), options), "no manager");
  const std::string user = "user-" + value_or_exit(obol::generate_session_id(), "no user id").substr(0, 8);

  fmt::print("\n1. Three logins\n");
  const auto laptop = log_in(manager, user, "laptop");
  const auto phone = log_in(manager, user, "phone");
  log_in(manager, user, "tablet");

  fmt::print("\n2. A minute later, two tabs of the laptop refresh at once: one writes, both go on\n");
  time_passed += std::chrono::minutes(1);
  refresh(manager, "the first tab", laptop.tokens.refresh);
  refresh(manager, "the second tab", laptop.tokens.refresh);

  fmt::print("\n3. Your devices\n");
  list(manager, user);

  fmt::print("\n4. \"Log out my other devices\" leaves\n");
  done_or_exit(manager.log_out_others(laptop.session.key()), "not logged out");
  list(manager, user);
  show_sender(manager, "the phone", phone.tokens.access);
  refresh(manager, "a late refresh of the phone", phone.tokens.refresh);

  fmt::print("\n5. A minute later, a thief uses the refresh token that was replaced: the session ends\n");
  time_passed += std::chrono::minutes(1);
  refresh(manager, "the thief", laptop.tokens.refresh);
  show_sender(manager, "the laptop", laptop.tokens.access);
}

}  // namespace

int main(int argument_count, char** arguments) {
  const char* uri = argument_count > 1 ? arguments[1] : nullptr;
  if (uri != nullptr && std::string_view(uri).starts_with('-')) {
    fmt::print("usage: quickstart [redis://host:port | unix:///path]\n");
    return 0;
  }
  run(uri);
  return 0;
}
