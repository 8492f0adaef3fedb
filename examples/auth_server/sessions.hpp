// What this server does with Obol: begins sessions, lets requests in, rotates refresh tokens, ends sessions. Knows
// nothing of HTTP; read this first.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "obol/clock.hpp"
#include "obol/keyring.hpp"
#include "obol/session_store.hpp"
#include "payload.hpp"
#include "tokens.hpp"

namespace auth_server {

struct SessionLifetimes {
  std::chrono::seconds access{std::chrono::minutes(5)};  ///< How often a browser in use refreshes.
  std::chrono::seconds unused{std::chrono::days(14)};    ///< A session not refreshed for so long is gone.
  std::chrono::seconds at_most{std::chrono::days(90)};   ///< However much it is used.

  /// How long after a rotation the token it replaced is still answered, with the new one: requests of other tabs may be
  /// on their way with it. Later it counts as stolen.
  std::chrono::seconds grace{30};
};

/// What a browser keeps, as cookies.
struct Tokens {
  std::string access{};
  std::string refresh{};
};

/// A session and this server's own data in it.
struct Login {
  obol::Session session{};
  Payload payload{};

  /// Names the session in a form or a log without being worth anything: the id itself is a secret.
  std::string handle() const;
};

/// Who sent a request.
struct Visitor {
  std::optional<Login> login{};
  std::optional<Tokens> new_tokens{};  ///< To be kept from now on.
  bool tokens_are_void = false;        ///< Those it has are worth nothing (any more).
};

/// Thread-safe, as the store is. Errors are the store's: nobody is logged out because Redis could not be asked.
class Sessions {
 public:
  Sessions(obol::SessionStore& store, obol::Keyring keyring, SessionLifetimes lifetimes = {},
           obol::Clock clock = obol::system_clock());

  /// Logs somebody in. Each login is a new session with an id made here and now, whatever tokens the browser came with:
  /// an id planted there before (session fixation) is never adopted. `credentials_read_at`: when the password's hash
  /// was read, before it was verified. `revoked`: the password was changed since.
  obol::Result<Visitor> begin(const std::string& user_id, Device device, std::chrono::sys_seconds credentials_read_at);

  /// Finds out who holds these tokens (empty: none); rotates the refresh token where the access token has expired.
  obol::Result<Visitor> resume(std::string_view access_token, std::string_view refresh_token);

  /// After a change of rights, such as a new password: the session gets a new id and new tokens, so that whatever of it
  /// was seen before is worth nothing, and all other sessions of the user end, those that are about to begin included.
  obol::Result<Visitor> secure(Login login);

  /// The user's sessions, the one refreshed last first.
  obol::Result<std::vector<Login>> list(std::string_view user_id);

  obol::Result<obol::Deleted> end(const obol::SessionKey& session);
  obol::Result<obol::Deleted> end_others(const obol::SessionKey& keep);

  const SessionLifetimes& lifetimes() const { return lifetimes_; }
  std::chrono::sys_seconds now() const;

 private:
  obol::Result<Visitor> rotate(const RefreshToken& token);
  obol::Result<Visitor> answer(obol::Session session, const RefreshToken& token);
  obol::Result<Visitor> let_in(obol::Session session, Payload payload);
  std::optional<obol::Error> renew(obol::Session& session, Payload& payload);

  obol::SessionStore& store_;
  obol::Keyring keyring_;
  SessionLifetimes lifetimes_;
  obol::Clock clock_;
};

}  // namespace auth_server
