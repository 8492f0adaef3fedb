// What the examples without an HTTP server share: a store, sessions, and an end with a message.
#pragma once

#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "obol/async_over.hpp"
#include "obol/async_redis_store.hpp"
#include "obol/memory_store.hpp"
#include "obol/session_id.hpp"

namespace example {

[[noreturn]] inline void fail(std::string_view what, const obol::Error& error) {
  fmt::print(stderr, "{}: {} ({})\n", what, error.message, error.code.message());
  std::exit(1);
}

template <class Outcome>
auto value_or_exit(Outcome outcome, std::string_view what) {
  if (!outcome) fail(what, outcome.error());
  return std::move(*outcome);
}

/// The store at the address in a program's arguments; one in memory if there is none. Signs with a key of this run.
inline std::unique_ptr<obol::AsyncSessionStore> store_of(int argument_count, char** arguments) {
  if (argument_count < 2) return std::make_unique<obol::AsyncOver<obol::MemoryStore>>();
  auto secret =
      value_or_exit(obol::generate_session_id(), "no secret") + value_or_exit(obol::generate_session_id(), "no secret");
  obol::RedisStoreOptions options{
      .connection = value_or_exit(obol::ConnectionOptions::from_uri(arguments[1]), "bad address"),
      .keyring = value_or_exit(obol::Keyring::from_base_secret(std::move(secret)), "bad secret")};
  return std::make_unique<obol::AsyncRedisStore>(
      value_or_exit(obol::AsyncRedisStore::connect(std::move(options)), "no store"));
}

inline obol::Session new_session(std::string user) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return {.id = value_or_exit(obol::generate_session_id(), "no session id"),
          .user_id = std::move(user),
          .created_at = now,
          .refreshed_at = now,
          .refresh_expires_at = now + std::chrono::days(14)};
}

}  // namespace example
