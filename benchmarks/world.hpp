// The sessions that are measured, stored in a server, and the store over them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "obol/redis_store.hpp"
#include "server.hpp"

namespace obol::benchmark {

/// Of about 470 bytes as stored.
Session make_session(std::size_t user, std::size_t number);

/// Sessions number 0 to `sessions_each` of each user, stored; deleted again with it.
class World {
 public:
  World(Server& server, std::size_t users, std::size_t sessions_each = 1, RedisStoreOptions options = {});
  ~World() { server_.clean(); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Server& server() const { return server_; }
  RedisStore& store() { return store_; }
  const std::vector<SessionKey>& keys() const { return keys_; }
  std::size_t users() const { return users_; }

  static std::string user_id(std::size_t user);
  static std::string stored_key_of(std::string_view user_id);

 private:
  Server& server_;
  std::size_t users_;
  RedisStore store_;
  std::vector<SessionKey> keys_;
};

/// A different one each time, cheaply.
class Picker {
 public:
  explicit Picker(std::size_t seed) : state_(seed * 7919 + 1) {}
  std::size_t pick(std::size_t count) {
    state_ = state_ * 6364136223846793005 + 1442695040888963407;
    return static_cast<std::size_t>(state_ >> 33) % count;
  }

 private:
  std::uint64_t state_;
};

/// Options for the private or own server; everything else as it comes.
RedisStoreOptions options_for(const Server& server, RedisStoreOptions options = {});

/// Ends the program where a call that is measured fails.
void require(bool succeeded, std::string_view what);

}  // namespace obol::benchmark
