// What the guides' shorter C++ blocks presume: a host with a store, and answers to give. Declared, never defined.
#pragma once

#include <poll.h>

#include <chrono>
#include <coroutine>
#include <memory>
#include <optional>
#include <string>

#include "obol/obol.hpp"

extern obol::RedisStore store;
extern obol::SessionManager manager;
extern obol::RedisStoreOptions options;
extern obol::ConnectionOptions connection;
extern obol::Keyring keyring;
extern obol::Session session;
extern obol::SessionKey key;
extern obol::SigningKey old_key, new_key;
extern std::string old_secret, new_secret;
extern std::chrono::sys_seconds now;

// Of hosts on an event loop.
extern obol::AsyncRedisStore async_store;
extern obol::AsyncSessionManager async_manager;
struct Task {
  struct promise_type {
    Task get_return_object();
    std::suspend_never initial_suspend();
    std::suspend_never final_suspend() noexcept;
    void return_void();
    void unhandled_exception();
  };
};
void use(const obol::Result<std::optional<obol::Session>>& found);
bool serving();

struct IdentityToken {
  std::string text;
  std::chrono::milliseconds time_left;
};
std::optional<IdentityToken> identity_token();

struct Answer {};
Answer logged_in(const obol::Session& session);
Answer ask_for_login();
Answer try_later();
Answer fail(const obol::Error& error);
void warn(const char* text);

// What a Charon host answers for a session that moves.
struct OldSession {
  std::string user_id;
  std::string type;
  std::string payload;
  std::chrono::sys_seconds created_at;
  std::optional<std::chrono::sys_seconds> expires_at;
};
extern OldSession old;
