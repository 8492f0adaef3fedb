// The two tokens a browser keeps. Each is an Obol session token (signed, cookie-safe) of a type of its own, so that
// neither is accepted as the other. The addition of each kind follows the session id.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "obol/keyring.hpp"
#include "obol/session.hpp"

namespace auth_server {

/// The session type of this server.
inline constexpr std::string_view session_type = "web";

/// Admits its bearer until it expires, as long as the session exists.
struct AccessToken {
  obol::SessionKey session{};
  std::chrono::sys_seconds expires_at{};
};

/// Valid for one rotation, which replaces it.
struct RefreshToken {
  obol::SessionKey session{};
  std::string id{};  ///< Session::refresh_token_id when this token was issued.
};

obol::Result<std::string> issue(const AccessToken& token, const obol::Keyring& keyring);
obol::Result<std::string> issue(const RefreshToken& token, const obol::Keyring& keyring);

/// `invalid_token` unless the text is, in every byte, such a token of this keyring. Does not check expiry.
obol::Result<AccessToken> open_access_token(std::string_view text, const obol::Keyring& keyring);
obol::Result<RefreshToken> open_refresh_token(std::string_view text, const obol::Keyring& keyring);

}  // namespace auth_server
