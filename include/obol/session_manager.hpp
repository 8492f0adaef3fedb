// Logins on top of a store: access and refresh tokens, their rotation, theft detection, logouts.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "obol/clock.hpp"
#include "obol/error.hpp"
#include "obol/export.hpp"
#include "obol/keyring.hpp"
#include "obol/observer.hpp"
#include "obol/session.hpp"
#include "obol/session_store.hpp"

namespace obol { inline namespace v0 {

/// What happens if a refresh token is presented that was replaced before. Either its owner or somebody else has a copy.
enum class ReuseResponse {
  end_session,   ///< The session ends, so neither of the two can go on (RFC 9700, section 4.14.2).
  refuse_token,  ///< Only that token is refused.
};

/// What authenticate looks at. `{}` is the stricter one, so that an argument left empty skips no check.
enum class AccessCheck {
  token_and_session,  ///< The token and the store: a logout takes effect at once.
  token,              ///< The token alone: no call to the store, but a logout takes effect only when the token expires.
};

/// Options of a SessionManager. The keyring is required; everything else has a usable default. Times are whole seconds.
struct SessionManagerOptions {
  /// Signs the tokens; may be the store's. docs/guides/keys.md says how to change keys without logging anybody out.
  Keyring keyring{};
  /// The type of all sessions of this manager. Tokens of sessions of another type are refused.
  std::string session_type = "full";

  std::chrono::seconds access_lifetime{std::chrono::minutes(5)};  ///< Of an access token.
  /// A session ends if it is not refreshed or touched for so long. Also the lifetime of a refresh token.
  std::chrono::seconds refresh_lifetime{std::chrono::days(14)};
  /// A session ends so long after its login, however much it is used; nullopt: only if it is unused.
  std::optional<std::chrono::seconds> absolute_lifetime = std::chrono::days(90);

  /// For so long after a refresh the replaced tokens are still accepted: tabs refresh at the same time, and answers get
  /// lost. Later they count as reused.
  std::chrono::seconds overlap{10};
  /// How far the clocks of the hosts may differ.
  std::chrono::seconds drift{5};
  ReuseResponse on_reuse = ReuseResponse::end_session;  ///< The answer to a reused refresh token.

  /// touch writes at most once in so long.
  std::chrono::seconds touch_interval{std::chrono::minutes(1)};
  AccessCheck access_check = AccessCheck::token_and_session;  ///< What authenticate looks at unless it is told.

  std::shared_ptr<Observer> observer{};  ///< Told of reused tokens; may be null, and may be the store's.
  Clock clock = system_clock();          ///< Tests can replace it.
};

/// The tokens of a session, for its client. Signed, not encrypted: whoever holds one can read the user id.
struct SessionTokens {
  std::string access{};                           ///< Sent with each request.
  std::chrono::sys_seconds access_expires_at{};   ///< Not after the session's end.
  std::string refresh{};                          ///< Sent to refresh only.
  std::chrono::sys_seconds refresh_expires_at{};  ///< Not after the session's end.
};

/// A session and new tokens for it.
struct LoggedIn {
  Session session{};       ///< As it is stored.
  SessionTokens tokens{};  ///< Replace those that the client has.
};

/// The sender of a request.
struct Authenticated {
  SessionKey session_key{};               ///< The session that the token was issued for.
  std::chrono::sys_seconds expires_at{};  ///< When the access token expires.
  std::optional<Session> session{};       ///< As it is stored; only with AccessCheck::token_and_session.
};

/// Changes a session's payload. Called again, with the payload that is stored by then, if another writer was faster. An
/// exception leaves the manager's function, and nothing is stored.
using PayloadChange = std::function<void(std::string& extra_payload)>;

/// What an auth server does with sessions, over any store. Every function is thread-safe and ends by the deadlines of
/// the store's calls. Two answers are different and must stay so:
///
/// - An empty optional means "not logged in": the token is malformed, forged, of another kind, expired or reused, or
///   the session has ended. Answer 401 and let the user log in.
/// - An Error means that it is not known, for example because the store is unavailable. Answer 503. Nobody is logged
///   out by it: the client keeps its tokens and tries again.
///
/// docs/guides/session-manager.md shows it in use, and says what is left to the host.
class OBOL_EXPORT SessionManager {
 public:
  /// Fails with `invalid_argument` if options are missing or contradict each other.
  [[nodiscard]] static Result<SessionManager> create(std::shared_ptr<SessionStore> store,
                                                     SessionManagerOptions options);

  /// Not thread-safe. A manager that was moved from may only be destroyed or assigned to.
  SessionManager(SessionManager&&) noexcept;
  /// Not thread-safe.
  SessionManager& operator=(SessionManager&&) noexcept;
  ~SessionManager();

  /// Logs a user in: a new session with a new id, and its tokens. Call it after the credentials were verified.
  /// `credentials_read_at` is when the host read what it verified (such as the password's hash), before it did; so a
  /// login with an old password does not survive its change (SessionPolicy). Fails as a create of the store does, with
  /// `revoked`, `too_many_sessions` or `too_large` among others.
  [[nodiscard]] Result<LoggedIn> log_in(std::string user_id, std::string extra_payload,
                                        std::chrono::sys_seconds credentials_read_at);

  /// Identifies the sender of an access token. One read of the store, or none with AccessCheck::token.
  [[nodiscard]] Result<std::optional<Authenticated>> authenticate(std::string_view access_token);
  /// The same with another check than that of the options.
  [[nodiscard]] Result<std::optional<Authenticated>> authenticate(std::string_view access_token, AccessCheck check);

  /// Exchanges a refresh token for new tokens. The first refresh after `overlap` begins a new generation of tokens: one
  /// read and one write. Refreshes beside it, or within `overlap` after it, join that generation and store nothing; if
  /// one has tried to, it answers with what the faster one stored. With a change of the payload every refresh writes.
  /// Fails with `conflict` if others changed the session again and again meanwhile.
  [[nodiscard]] Result<std::optional<LoggedIn>> refresh(std::string_view refresh_token,
                                                        const PayloadChange& change = {});

  /// Call it after a change of the password, of another factor or of rights. All other sessions of the user end; then
  /// the session gets a new id and new tokens, so the older ones are worthless. If it fails, the client's tokens are
  /// still good, and the call can be repeated; except if the answer to a write was lost (`timeout`, `unavailable`):
  /// then the session may have its new id already, and the user logs in again.
  [[nodiscard]] Result<std::optional<LoggedIn>> secure(Session session, const PayloadChange& change = {});

  /// Extends a session that is in use, for hosts whose cookie has a session token (issue_token) instead of refresh
  /// tokens. Writes at most once in `touch_interval`, whichever process is asked. Returns the session as it is stored.
  [[nodiscard]] Result<std::optional<Session>> touch(Session session);

  /// Returns the user's sessions, the most recently used first.
  [[nodiscard]] Result<std::vector<Session>> list(std::string_view user_id);

  /// Ends one session. Succeeds if it has ended.
  [[nodiscard]] Result<Deleted> log_out(const SessionKey& session);
  /// Ends all sessions of the user but this one.
  [[nodiscard]] Result<Deleted> log_out_others(const SessionKey& keep);
  /// Ends all sessions of the user.
  [[nodiscard]] Result<Deleted> log_out_everywhere(std::string_view user_id);

  /// Signs and verifies tokens with this keyring from now on; calls in progress finish with the keyring they began
  /// with. Fails with `invalid_argument`, and keeps the old keyring, if the new one is empty or contains a different
  /// key under an id that the old one contains. The keyring of the store is the store's: see
  /// RedisStore::replace_keyring.
  [[nodiscard]] Result<void> replace_keyring(Keyring keyring);

  /// Returns the options, for example for the lifetime of cookies. Their keyring is empty, since it may be replaced.
  const SessionManagerOptions& options() const noexcept;

 private:
  class Implementation;
  explicit SessionManager(std::unique_ptr<Implementation> implementation) noexcept;
  std::unique_ptr<Implementation> implementation_;
};

}}  // namespace obol::v0
