// The two tokens a browser keeps. Each is an Obol session token (signed, cookie-safe) of a type of its own, so that
// neither passes for the other; behind the session's id stands what that kind of token adds.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "obol/keyring.hpp"
#include "obol/session.hpp"

namespace auth_server {

/// What kind of session this server makes.
inline constexpr std::string_view session_type = "web";

/// Lets its bearer in until it expires, as long as the session stands.
struct AccessToken {
  obol::SessionKey session{};
  std::chrono::sys_seconds expires_at{};
};

/// Good for one rotation, which replaces it.
struct RefreshToken {
  obol::SessionKey session{};
  std::string id{};  ///< Session::refresh_token_id as it was when this token was issued.
};

obol::Result<std::string> issue(const AccessToken& token, const obol::Keyring& keyring);
obol::Result<std::string> issue(const RefreshToken& token, const obol::Keyring& keyring);

/// `invalid_token` where the text is not, in every byte, such a token of this keyring. Says nothing about expiry.
obol::Result<AccessToken> open_access_token(std::string_view text, const obol::Keyring& keyring);
obol::Result<RefreshToken> open_refresh_token(std::string_view text, const obol::Keyring& keyring);

}  // namespace auth_server
