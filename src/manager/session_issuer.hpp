// What all flows of a session manager share: its options, the time, new lifetimes and new tokens.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "manager/freshness.hpp"
#include "obol/session_manager.hpp"
#include "sealing/replaceable_keyring.hpp"
#include "sealing/web_token.hpp"

namespace obol { inline namespace v0 { namespace manager {

/// Thread-safe.
class SessionIssuer {
 public:
  explicit SessionIssuer(SessionManagerOptions options);

  const SessionManagerOptions& options() const { return options_; }  ///< Without the keyring, which may be replaced.
  Result<void> replace_keyring(Keyring keyring) { return keyring_.replace(std::move(keyring)); }
  std::chrono::sys_seconds now() const { return std::chrono::floor<std::chrono::seconds>(options_.clock()); }

  /// What a token of this manager says that has not expired.
  std::optional<sealing::TokenClaims> open(sealing::TokenKind kind, std::string_view token) const;

  /// A session that nobody has yet, not stored. `internal` if the kernel gives no random bytes.
  Result<Session> new_session(std::string user_id, std::string extra_payload,
                              std::chrono::sys_seconds credentials_read_at) const;

  RefreshDecision decide(const Session& session, const sealing::TokenClaims& token) const;

  /// Counts the session as used now.
  void extend(Session& session) const;

  /// New tokens, which belong to the session's current generation.
  Result<LoggedIn> issue(Session session) const;

  void tell_of_reuse(const SessionKey& session, bool session_ended) const;

 private:
  SessionManagerOptions options_;
  sealing::ReplaceableKeyring keyring_;
};

/// `invalid_argument` if there is no store, or if options are missing or contradict each other.
Result<void> validate(bool has_store, const SessionManagerOptions& options);

}}}  // namespace obol::v0::manager
