// The life of a session, from login to logout, as calls of obol::SessionStore.
#include "sessions.hpp"

#include <sodium.h>

#include <algorithm>
#include <expected>
#include <utility>

#include "obol/session_id.hpp"

namespace auth_server {
namespace {

Visitor nobody() { return {.login = {}, .new_tokens = {}, .tokens_are_void = true}; }

bool same(std::string_view one, std::string_view other) {
  return one.size() == other.size() && ::sodium_memcmp(one.data(), other.data(), one.size()) == 0;
}

bool is_over(const obol::Error& error) {
  return error.code == obol::ErrorCode::gone || error.code == obol::ErrorCode::expired;
}

}  // namespace

std::string Login::handle() const { return obol::session_id_hash(session.id); }

Sessions::Sessions(obol::SessionStore& store, obol::Keyring keyring, SessionLifetimes lifetimes, obol::Clock clock)
    : store_(store), keyring_(std::move(keyring)), lifetimes_(lifetimes), clock_(std::move(clock)) {}

std::chrono::sys_seconds Sessions::now() const { return std::chrono::floor<std::chrono::seconds>(clock_()); }

obol::Result<Visitor> Sessions::begin(const std::string& user_id, Device device,
                                      std::chrono::sys_seconds credentials_read_at) {
  auto id = obol::generate_session_id();
  if (!id) return std::unexpected(std::move(id.error()));
  obol::Session session{.id = std::move(*id),
                        .user_id = user_id,
                        .type = std::string(session_type),
                        .created_at = credentials_read_at,
                        .expires_at = now() + lifetimes_.at_most};
  Payload payload{.device = std::move(device)};
  if (auto error = renew(session, payload)) return std::unexpected(std::move(*error));
  if (auto stored = store_.upsert(session); !stored) return std::unexpected(std::move(stored.error()));
  return let_in(std::move(session), std::move(payload));
}

obol::Result<Visitor> Sessions::resume(std::string_view access_token, std::string_view refresh_token) {
  if (access_token.empty() && refresh_token.empty()) return Visitor{};
  if (!access_token.empty()) {
    const auto access = open_access_token(access_token, keyring_);
    if (!access) return nobody();
    if (access->expires_at > now()) {
      auto session = store_.get(access->session);
      if (!session) return std::unexpected(std::move(session.error()));
      if (!*session) return nobody();
      auto payload = (*session)->payload<Payload>();
      if (!payload) return nobody();
      return Visitor{.login = Login{std::move(**session), std::move(*payload)}};
    }
  }
  const auto refresh = open_refresh_token(refresh_token, keyring_);
  return refresh ? rotate(*refresh) : nobody();
}

// If several requests come with the same token at once, one wins. The others answer with the session it stored
// (UpsertError::current), so all tabs have the same tokens afterwards.
obol::Result<Visitor> Sessions::rotate(const RefreshToken& token) {
  auto stored = store_.get(token.session);
  if (!stored) return std::unexpected(std::move(stored.error()));
  if (!*stored) return nobody();
  auto session = std::move(**stored);
  auto payload = session.payload<Payload>();
  if (!payload) return nobody();
  const bool was_just_rotated =
      !payload->previous_refresh_token_id.empty() && now() - session.refreshed_at <= lifetimes_.grace;
  if (was_just_rotated || !same(token.id, session.refresh_token_id)) return answer(std::move(session), token);

  payload->previous_refresh_token_id = session.refresh_token_id;
  if (auto error = renew(session, *payload)) return std::unexpected(std::move(*error));
  auto rotated = store_.upsert(session);
  if (rotated) return let_in(std::move(session), std::move(*payload));
  auto& error = rotated.error();
  if (error.code == obol::ErrorCode::conflict && error.current) return answer(std::move(*error.current), token);
  if (error.code == obol::ErrorCode::conflict || is_over(error)) return nobody();
  return std::unexpected(std::move(error));
}

// Answers without rotating. The token is the current one, or was until a moment ago. Otherwise a thief uses it, or used
// it before its owner. It is not known which of the two this is, so the session ends.
obol::Result<Visitor> Sessions::answer(obol::Session session, const RefreshToken& token) {
  auto payload = session.payload<Payload>();
  if (!payload) return nobody();
  const bool is_current = same(token.id, session.refresh_token_id);
  const bool was_current_just_now =
      same(token.id, payload->previous_refresh_token_id) && now() - session.refreshed_at <= lifetimes_.grace;
  if (is_current || was_current_just_now) return let_in(std::move(session), std::move(*payload));
  if (auto ended = end(session.key()); !ended) return std::unexpected(std::move(ended.error()));
  return nobody();
}

obol::Result<Visitor> Sessions::let_in(obol::Session session, Payload payload) {
  auto access = issue(AccessToken{.session = session.key(), .expires_at = now() + lifetimes_.access}, keyring_);
  if (!access) return std::unexpected(std::move(access.error()));
  auto refresh = issue(RefreshToken{.session = session.key(), .id = session.refresh_token_id}, keyring_);
  if (!refresh) return std::unexpected(std::move(refresh.error()));
  return Visitor{.login = Login{std::move(session), std::move(payload)},
                 .new_tokens = Tokens{.access = std::move(*access), .refresh = std::move(*refresh)}};
}

// A new refresh token id and a later expiry, ready to be stored.
std::optional<obol::Error> Sessions::renew(obol::Session& session, Payload& payload) {
  auto token_id = obol::generate_session_id();
  if (!token_id) return std::move(token_id.error());
  session.refresh_token_id = std::move(*token_id);
  session.refreshed_at = now();
  session.refresh_expires_at = now() + lifetimes_.unused;
  session.prev_tokens_fresh_from = session.tokens_fresh_from;
  session.tokens_fresh_from = now();
  if (payload.csrf_secret.empty()) {
    auto secret = obol::generate_session_id();
    if (!secret) return std::move(secret.error());
    payload.csrf_secret = std::move(*secret);
  }
  session.set_payload(payload);
  return std::nullopt;
}

// Others first: if that fails, the browser still has the right tokens of this session.
obol::Result<Visitor> Sessions::secure(Login login) {
  if (auto ended = end_others(login.session.key()); !ended) return std::unexpected(std::move(ended.error()));
  for (int attempts_left = 3;; --attempts_left) {
    login.payload.csrf_secret.clear();
    login.payload.previous_refresh_token_id.clear();
    if (auto error = renew(login.session, login.payload)) return std::unexpected(std::move(*error));
    auto rotated = store_.rotate_id(login.session);
    if (rotated) break;
    auto& error = rotated.error();
    if (is_over(error)) return nobody();
    if (error.code != obol::ErrorCode::conflict || !error.current || attempts_left == 0) {
      return std::unexpected(std::move(error));
    }
    auto payload = error.current->payload<Payload>();
    if (!payload) return nobody();
    login = {std::move(*error.current), std::move(*payload)};
  }
  return let_in(std::move(login.session), std::move(login.payload));
}

obol::Result<std::vector<Login>> Sessions::list(std::string_view user_id) {
  auto sessions = store_.get_all(user_id, session_type);
  if (!sessions) return std::unexpected(std::move(sessions.error()));
  std::ranges::sort(*sessions, [](const obol::Session& one, const obol::Session& other) {
    return std::pair(one.refreshed_at, one.created_at) > std::pair(other.refreshed_at, other.created_at);
  });
  std::vector<Login> logins;
  for (auto& session : *sessions) {
    auto payload = session.payload<Payload>();
    logins.push_back(
        {std::move(session), payload ? std::move(*payload) : Payload{.device = {.name = "Unknown device"}}});
  }
  return logins;
}

obol::Result<obol::Deleted> Sessions::end(const obol::SessionKey& session) { return store_.delete_one(session); }

obol::Result<obol::Deleted> Sessions::end_others(const obol::SessionKey& keep) { return store_.delete_others(keep); }

}  // namespace auth_server
