// Sessions, keyrings and stores as most tests need them.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "obol/keyring.hpp"
#include "obol/redis_store.hpp"
#include "obol/session.hpp"
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

inline RedisStoreOptions options_for(const TestServer& server, std::shared_ptr<Observer> observer = nullptr) {
  RedisStoreOptions options;
  options.connection = server.connection();
  options.keyring = Keyring(signing_key());
  options.observer = std::move(observer);
  return options;
}

inline RedisStore store_on(const TestServer& server, std::shared_ptr<Observer> observer = nullptr) {
  return RedisStore::connect(options_for(server, std::move(observer))).value();
}

}  // namespace obol::testing
