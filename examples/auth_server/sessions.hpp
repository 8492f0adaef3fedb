// All use of Obol: begins sessions, admits requests, rotates refresh tokens, ends sessions. Knows nothing of HTTP. Read
// this file first.
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
  std::chrono::seconds unused{std::chrono::days(14)};    ///< A session ends if it is not refreshed for so long.
  std::chrono::seconds at_most{std::chrono::days(90)};   ///< A session ends after so long, however much it is used.

  /// How long after a rotation the replaced token is still answered with the new one: requests of other tabs may be on
  /// their way with it. Later it counts as stolen.
  std::chrono::seconds grace{30};
};

/// Tokens that a browser keeps as cookies.
struct Tokens {
  std::string access{};
  std::string refresh{};
};

/// A session and this server's own data in it.
struct Login {
  obol::Session session{};
  Payload payload{};

  /// Identifies the session in a form or a log. It is worthless to a thief; the id itself is a secret.
  std::string handle() const;
};

/// The sender of a request.
struct Visitor {
  std::optional<Login> login{};
  std::optional<Tokens> new_tokens{};  ///< The browser must keep these from now on.
  bool tokens_are_void = false;        ///< The browser's tokens are not valid (any more).
};

/// Thread-safe, as the store is. Errors are the store's: nobody is logged out because Redis is not available.
class Sessions {
 public:
  Sessions(obol::SessionStore& store, obol::Keyring keyring, SessionLifetimes lifetimes = {},
           obol::Clock clock = obol::system_clock());

  /// Logs a user in. Each login is a new session with a new id, whatever tokens the browser has: an id that was planted
  /// there (session fixation) is never adopted. `credentials_read_at` is when the password's hash was read, before it
  /// was verified. `revoked` if the password was changed since.
  obol::Result<Visitor> begin(const std::string& user_id, Device device, std::chrono::sys_seconds credentials_read_at);

  /// Identifies the holder of these tokens (empty: none). Rotates the refresh token if the access token has expired.
  obol::Result<Visitor> resume(std::string_view access_token, std::string_view refresh_token);

  /// Call after a change of rights, such as a new password. The session gets a new id and new tokens, so older ones are
  /// worthless. All other sessions of the user end, including logins in progress.
  obol::Result<Visitor> secure(Login login);

  /// The user's sessions, the most recently refreshed first.
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
