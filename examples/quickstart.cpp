// The main use in one program: a login, a refresh, a refresh race, the user's devices, logging the others out.
// Usage: quickstart [redis://host:port | unix:///path]     Without an address, sessions are kept in this process.
#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "obol/obol.hpp"

namespace {

using obol::Session;

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

std::unique_ptr<obol::SessionStore> open_store(const char* uri, const obol::Keyring& keyring) {
  if (uri == nullptr) return std::make_unique<obol::MemoryStore>();
  obol::RedisStoreOptions options{.connection = value_or_exit(obol::ConnectionOptions::from_uri(uri), "bad address"),
                                  .keyring = keyring};
  return std::make_unique<obol::RedisStore>(value_or_exit(obol::RedisStore::connect(std::move(options)), "no store"));
}

std::chrono::sys_seconds now_in_seconds() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

// A login begins when the host reads the password's hash, before it verifies the password.
Session log_in(obol::SessionStore& store, const std::string& user, const std::string& device,
               std::chrono::sys_seconds hash_read_at = now_in_seconds()) {
  const auto now = now_in_seconds();
  Session session{.id = value_or_exit(obol::generate_session_id(), "no session id"),
                  .user_id = user,
                  .refresh_token_id = value_or_exit(obol::generate_session_id(), "no token id"),
                  .created_at = hash_read_at,
                  .refreshed_at = now,
                  .refresh_expires_at = now + std::chrono::days(14)};
  session.set_payload(Device{device});
  if (auto stored = store.upsert(session); !stored) fail("login failed", stored.error());
  fmt::print("  {} logged in: session {}…, lock version {}\n", device, session.id.substr(0, 6), session.lock_version);
  return session;
}

// An auth server handles a refresh token so: a new token id, a later expiry, one conditional write.
std::expected<obol::Upserted, obol::UpsertError> refresh(obol::SessionStore& store, Session& session) {
  session.refreshed_at = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  session.refresh_expires_at = session.refreshed_at + std::chrono::days(14);
  session.refresh_token_id = value_or_exit(obol::generate_session_id(), "no token id");
  return store.upsert(session);
}

void race(obol::SessionStore& store, const Session& laptop) {
  Session first_tab = laptop;
  Session second_tab = laptop;
  if (auto won = refresh(store, first_tab); !won) fail("refresh failed", won.error());
  fmt::print("  the first tab refreshed: lock version {}\n", first_tab.lock_version);
  const auto lost = refresh(store, second_tab);
  if (lost) fmt::print("  both tabs won: this must never be\n");
  if (!lost && lost.error().code == obol::ErrorCode::conflict && lost.error().current) {
    const bool same = *lost.error().current == first_tab;
    fmt::print("  the second tab lost, and answers with the first one's session: {}\n", same ? "the same" : "another!");
  }
}

void list(obol::SessionStore& store, const std::string& user) {
  for (const auto& session : value_or_exit(store.get_all(user, "full"), "no list")) {
    fmt::print("  {} (lock version {})\n", value_or_exit(session.payload<Device>(), "no device").name,
               session.lock_version);
  }
}

}  // namespace

int main(int argument_count, char** arguments) {
  const char* uri = argument_count > 1 ? arguments[1] : nullptr;
  if (uri != nullptr && std::string_view(uri).starts_with('-')) {
    fmt::print("usage: quickstart [redis://host:port | unix:///path]\n");
    return 0;
  }
  const char* secret = std::getenv("OBOL_SECRET");
  if (secret == nullptr) fmt::print("OBOL_SECRET is not set: signing with a random key for this run.\n");
  const auto keyring = value_or_exit(
      obol::Keyring::from_base_secret(secret != nullptr ? std::string(secret)
                                                        : value_or_exit(obol::generate_session_id(), "no secret") +
                                                              value_or_exit(obol::generate_session_id(), "no secret")),
      "bad OBOL_SECRET");
  const auto store = open_store(uri, keyring);
  const std::string user = "user-" + value_or_exit(obol::generate_session_id(), "no user id").substr(0, 8);

  fmt::print("\n1. Three logins\n");
  const Session laptop = log_in(*store, user, "laptop");
  log_in(*store, user, "phone");
  log_in(*store, user, "tablet");

  fmt::print("\n2. The laptop's cookie holds a signed token, not the session id\n");
  const auto token = value_or_exit(obol::issue_token(laptop.key(), keyring), "no token");
  const auto key = value_or_exit(obol::open_token(token, keyring), "bad token");
  fmt::print("  {}… opens to the same session: {}\n", token.substr(0, 24), key == laptop.key());

  fmt::print("\n3. Two tabs of the laptop refresh at once\n");
  race(*store, laptop);

  fmt::print("\n4. Your devices\n");
  list(*store, user);

  fmt::print("\n5. \"Log out my other devices\" leaves\n");
  done_or_exit(store->delete_others(key), "not logged out");
  list(*store, user);

  fmt::print("\n6. The laptop logs out, and a late refresh cannot bring it back\n");
  auto late = value_or_exit(store->get(key), "no session");
  done_or_exit(store->delete_one(key), "not logged out");
  if (!late) return 1;
  const auto refused = refresh(*store, *late);
  fmt::print("  {}\n", refused ? "it came back: this must never be" : refused.error().message);
  return refused ? 1 : 0;
}
