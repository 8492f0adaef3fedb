// Session tokens: stored in a cookie instead of the session id.
#pragma once

#include <string>
#include <string_view>

#include "obol/error.hpp"
#include "obol/export.hpp"
#include "obol/keyring.hpp"
#include "obol/session.hpp"

namespace obol { inline namespace v0 {

/// Returns a cookie-safe string that identifies the session and proves that this keyring issued it: a COSE_Mac0 (RFC
/// 9052) over the session key, in base64url without padding. It is signed, not encrypted: whoever holds it can read the
/// user id. A token stays valid as long as its key is in the keyring; only the store knows whether the session still
/// exists. Fails with `invalid_argument` if the session key is outside its limits or the keyring is empty.
OBOL_EXPORT Result<std::string> issue_token(const SessionKey& key, const Keyring& keyring);

/// Returns the session key that a token contains; does not ask a store. Fails with `invalid_token` unless a key of this
/// keyring issued exactly these bytes; treat that as "not logged in".
OBOL_EXPORT Result<SessionKey> open_token(std::string_view token, const Keyring& keyring);

}}  // namespace obol::v0
