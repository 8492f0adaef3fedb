// Session tokens: what goes into a cookie instead of the bare session id.
#pragma once

#include <string>
#include <string_view>

#include "obol/error.hpp"
#include "obol/export.hpp"
#include "obol/keyring.hpp"
#include "obol/session.hpp"

namespace obol::inline v0 {

/// A cookie-safe string that names the session and proves that this keyring issued it: a COSE_Mac0 (RFC 9052) over the
/// session key, in base64url without padding. Signed, not encrypted: whoever holds it can read the user id. A token
/// stays genuine as long as its key is in the ring; whether the session still lives only the store knows. Fails with
/// `invalid_argument` for a key outside its limits or an empty keyring.
OBOL_EXPORT Result<std::string> issue_token(const SessionKey& key, const Keyring& keyring);

/// The session key that a token names, before any store is asked. Fails with `invalid_token` where it was not issued by
/// a key of this ring, in every byte; treat that as "not logged in".
OBOL_EXPORT Result<SessionKey> open_token(std::string_view token, const Keyring& keyring);

}  // namespace obol::inline v0
