// Access and refresh tokens: CBOR Web Tokens (RFC 8392) as COSE_Mac0, each kind with a type of its own (RFC 9596).
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "obol/error.hpp"
#include "obol/keyring.hpp"
#include "obol/session.hpp"

namespace obol { inline namespace v0 { namespace sealing {

/// No kind of token passes for another, nor for a session token (session_token.hpp) or a stored session.
enum class TokenKind { access, refresh };

/// Random, so that no two tokens are equal.
using TokenId = std::array<unsigned char, 16>;

/// What a token says.
struct TokenClaims {
  SessionKey session{};
  std::chrono::sys_seconds issued_at{};
  std::chrono::sys_seconds expires_at{};
  TokenId id{};

  bool operator==(const TokenClaims&) const = default;
};

/// The token as cookie-safe text. Signed, not encrypted. `invalid_argument` for a key outside its limits or an empty
/// keyring, `internal` if OpenSSL refuses.
Result<std::string> write_web_token(TokenKind kind, const TokenClaims& claims, const Keyring& keyring);

/// What a token of this kind says, if a key of this keyring signed exactly these bytes. Does not look at the time.
std::optional<TokenClaims> open_web_token(TokenKind kind, std::string_view token, const Keyring& keyring);

}}}  // namespace obol::v0::sealing
