// Makes sessions and tokens as the options of a session manager say.
#include "manager/session_issuer.hpp"

#include <algorithm>
#include <utility>

#include "base/randomness.hpp"
#include "obol/session_id.hpp"
#include "obol/session_limits.hpp"
#include "store/tell.hpp"

namespace obol { inline namespace v0 { namespace manager {

using sealing::TokenClaims;
using sealing::TokenKind;
using std::chrono::sys_seconds;

SessionIssuer::SessionIssuer(SessionManagerOptions options)
    : options_(std::move(options)), keyring_(std::exchange(options_.keyring, Keyring())) {}

std::optional<TokenClaims> SessionIssuer::open(TokenKind kind, std::string_view token) const {
  auto claims = sealing::open_web_token(kind, token, keyring_.get());
  if (claims && (claims->expires_at <= now() || claims->session.type != options_.session_type)) claims.reset();
  return claims;
}

Result<Session> SessionIssuer::new_session(std::string user_id, std::string extra_payload,
                                           sys_seconds credentials_read_at) const {
  auto id = generate_session_id();
  if (!id) return std::unexpected(std::move(id.error()));
  const auto begin = now();
  Session session{.id = std::move(*id),
                  .user_id = std::move(user_id),
                  .type = options_.session_type,
                  // A time in the future would outlive a revocation mark.
                  .created_at = std::min(credentials_read_at, begin),
                  .tokens_fresh_from = begin,
                  .prev_tokens_fresh_from = begin,
                  .extra_payload = std::move(extra_payload)};
  if (options_.absolute_lifetime) {
    session.expires_at = std::min(saturating_add(begin, *options_.absolute_lifetime), latest_expiry);
  }
  extend(session);
  return session;
}

RefreshDecision SessionIssuer::decide(const Session& session, const TokenClaims& token) const {
  return decide_refresh(session,
                        {.session = token.session, .issued_at = token.issued_at, .expires_at = token.expires_at}, now(),
                        {.overlap = options_.overlap, .drift = options_.drift});
}

// A clock that was set back must not shorten its life.
void SessionIssuer::extend(Session& session) const {
  session.refreshed_at = std::max(session.refreshed_at, now());
  session.refresh_expires_at = std::min(saturating_add(session.refreshed_at, options_.refresh_lifetime),
                                        session.expires_at.value_or(latest_expiry));
}

Result<LoggedIn> SessionIssuer::issue(Session session) const {
  const auto time = now();
  const auto end = end_of_life(session);
  TokenClaims claims{.session = session.key(), .issued_at = issue_time(session, time)};
  const auto keyring = keyring_.get();
  const auto token = [&](TokenKind kind, sys_seconds begin, std::chrono::seconds lifetime) -> Result<std::string> {
    claims.expires_at = std::min(saturating_add(begin, lifetime), end);
    if (!random_bytes(claims.id.data(), claims.id.size())) {
      return std::unexpected(Error{ErrorCode::internal, "the kernel provided no random bytes for a token"});
    }
    return sealing::write_web_token(kind, claims, keyring);
  };
  LoggedIn logged_in{.session = std::move(session)};
  auto access = token(TokenKind::access, time, options_.access_lifetime);
  if (!access) return std::unexpected(std::move(access.error()));
  logged_in.tokens.access = std::move(*access);
  logged_in.tokens.access_expires_at = claims.expires_at;
  // From its time of issue, so that it is good once a clock that was set back is right again.
  auto refresh = token(TokenKind::refresh, claims.issued_at, options_.refresh_lifetime);
  if (!refresh) return std::unexpected(std::move(refresh.error()));
  logged_in.tokens.refresh = std::move(*refresh);
  logged_in.tokens.refresh_expires_at = claims.expires_at;
  return logged_in;
}

void SessionIssuer::tell_of_reuse(const SessionKey& session, bool session_ended) const {
  tell(options_.observer.get(), &Observer::on_token_reused, [&] {
    return TokenReusedEvent{.user_id = session.user_id,
                            .id_hash = session_id_hash(session.id),
                            .type = session.type,
                            .session_ended = session_ended};
  });
}

}}}  // namespace obol::v0::manager
