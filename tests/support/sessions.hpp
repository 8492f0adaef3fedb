// Sessions, keyrings and stores as most tests need them.
#pragma once

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "obol/keyring.hpp"
#include "obol/redis_store.hpp"
#include "obol/session.hpp"
#include "support/await.hpp"
#include "support/recording_observer.hpp"
#include "support/test_server.hpp"

namespace obol::testing {

inline std::chrono::sys_seconds now_in_seconds() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

inline Session new_session(std::string user_id = "user", std::string id = "session") {
  const auto now = now_in_seconds();
  return {.id = std::move(id),
          .user_id = std::move(user_id),
          .refresh_token_id = "refresh token",
          .created_at = now,
          .refreshed_at = now,
          .refresh_expires_at = now + std::chrono::hours(1),
          .tokens_fresh_from = now,
          .prev_tokens_fresh_from = now,
          .extra_payload = "payload"};
}

inline SigningKey signing_key(char fill = 'k') { return SigningKey::from_bytes(std::string(32, fill)).value(); }

/// Longer than a busy machine stands still; for whoever does not wait for a time-out.
constexpr Timeouts ample_timeouts{
    .connect = std::chrono::seconds(10), .command = std::chrono::seconds(10), .total = std::chrono::seconds(30)};

inline RedisStoreOptions options_for(ConnectionOptions connection, std::shared_ptr<Observer> observer = nullptr) {
  RedisStoreOptions options;
  options.connection = std::move(connection);
  options.timeouts = ample_timeouts;
  options.keyring = Keyring(signing_key());
  options.observer = std::move(observer);
  return options;
}

inline RedisStoreOptions options_for(const TestServer& server, std::shared_ptr<Observer> observer = nullptr) {
  return options_for(server.connection(), std::move(observer));
}

/// For short time-outs: a store connects once, and a machine that stands still meanwhile would fail it.
template <class Store = RedisStore>
Store connected(const RedisStoreOptions& options) {
  auto store = Store::connect(options);
  const auto is_late = [&] {
    return !store && (store.error().code == ErrorCode::timeout || store.error().code == ErrorCode::unavailable);
  };
  await("a store to connect", [&] {
    if (is_late()) store = Store::connect(options);
    if (is_late()) throw std::runtime_error(store.error().message);
    return true;
  });
  return std::move(store).value();
}

inline RedisStore store_on(const TestServer& server, std::shared_ptr<Observer> observer = nullptr) {
  return RedisStore::connect(options_for(server, std::move(observer))).value();
}

}  // namespace obol::testing
