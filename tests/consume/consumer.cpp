// A host of Obol as small as one can be, built and run in every way of consuming it: sessions in memory, a token, and a
// server that is not there.
#include <chrono>
#include <cstdio>

#include "obol/obol.hpp"

namespace {

int broken_promises = 0;

void expect(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "consumer: broken promise: %s\n", promise);
  ++broken_promises;
}

obol::Session make_session() {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return {.id = obol::generate_session_id().value(),
          .user_id = "user",
          .created_at = now,
          .refreshed_at = now,
          .refresh_expires_at = now + std::chrono::hours(1)};
}

void keep_a_session_in_memory() {
  obol::MemoryStore store;
  auto session = make_session();
  expect(store.upsert(session).has_value(), "a new session is stored");
  expect(store.get(session.key()).value() == session, "a stored session is found as it was stored");

  auto late = session;
  late.lock_version = 0;
  const auto refused = store.upsert(late);
  expect(!refused && refused.error().code == obol::ErrorCode::conflict, "a second session of that id is refused");
  expect(!refused && refused.error().current == session, "the loser is told who won");
  expect(store.delete_all("user", "full").has_value() && !store.get(session.key()).value(), "logged out is gone");
}

void issue_and_open_a_token(const obol::Keyring& keyring) {
  const auto session = make_session();
  auto token = obol::issue_token(session.key(), keyring).value();
  expect(obol::open_token(token, keyring) == session.key(), "a token names its session");
  token.front() = token.front() == 'A' ? 'B' : 'A';
  const auto forged = obol::open_token(token, keyring);
  expect(!forged && forged.error().code == obol::ErrorCode::invalid_token, "a changed token is refused");
}

void ask_a_server_that_is_not_there(const obol::Keyring& keyring) {
  obol::RedisStoreOptions options{.connection = obol::ConnectionOptions::from_uri("unix:///nowhere/redis.sock").value(),
                                  .keyring = keyring};
  options.timeouts.total = std::chrono::milliseconds(300);
  const auto store = obol::RedisStore::connect(options);
  expect(!store && store.error().code == obol::ErrorCode::unavailable, "a server that is not there is unavailable");
  expect(!store && store.error().code.category() == obol::error_category(), "there is one error category");
}

}  // namespace

int main() {
  const auto key = obol::SigningKey::from_bytes("thirty-two bytes or more of key.");
  if (!key) return std::fprintf(stderr, "consumer: %s\n", key.error().message.c_str()), 1;
  keep_a_session_in_memory();
  issue_and_open_a_token(obol::Keyring(*key));
  ask_a_server_that_is_not_there(obol::Keyring(*key));
  return broken_promises == 0 ? 0 : 1;
}
