// Fills a server with sessions.
#include "world.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cstdlib>
#include <thread>
#include <utility>

#include "store/session_commands.hpp"

namespace obol::benchmark {

void require(bool succeeded, std::string_view what) {
  if (succeeded) return;
  fmt::print(stderr, "obol_bench: {} failed\n", what);
  std::exit(1);
}

std::string World::user_id(std::size_t user) { return fmt::format("user-{}", user); }

std::string World::stored_key_of(std::string_view user_id) { return stored_key(Server::key_prefix, user_id, "full"); }

Session make_session(std::size_t user, std::size_t number) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return {.id = fmt::format("{:08}-{:013}", user, number),
          .user_id = World::user_id(user),
          .refresh_token_id = "0123456789abcdefABCDEF",
          .created_at = now,
          .refreshed_at = now,
          .refresh_expires_at = now + std::chrono::hours(1),
          .tokens_fresh_from = now,
          .prev_tokens_fresh_from = now,
          .extra_payload = std::string(338, 'x')};
}

RedisStoreOptions options_for(const Server& server, RedisStoreOptions options) {
  options.connection = server.connection();
  options.key_prefix = Server::key_prefix;
  options.keyring = Keyring(SigningKey::from_bytes(std::string(32, 'k'), "bench").value());
  return options;
}

World::World(Server& server, std::size_t users, std::size_t sessions_each, RedisStoreOptions options)
    : server_(server), users_(users), store_([&] {
        server.clean();
        auto store = RedisStore::connect(options_for(server, std::move(options)));
        require(store.has_value(), "connecting");
        return std::move(*store);
      }()) {
  for (std::size_t user = 0; user < users; ++user) {
    for (std::size_t number = 0; number < sessions_each; ++number) keys_.push_back(make_session(user, number).key());
  }
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 64; ++thread) {
    threads.emplace_back([&] {
      for (auto i = next++; i < keys_.size(); i = next++) {
        auto session = make_session(i / sessions_each, i % sessions_each);
        require(store_.upsert(session).has_value(), "storing a session");
      }
    });
  }
}

}  // namespace obol::benchmark
