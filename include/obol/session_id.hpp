// Session ids: unguessable to make, and a short hash to name one in a log.
#pragma once

#include <string>
#include <string_view>

#include "obol/error.hpp"
#include "obol/export.hpp"

namespace obol::inline v0 {

/// A new session id: 128 random bits of the kernel (getrandom(2)) as 22 characters of base64url (RFC 4648, section 5).
/// Takes no lock; safe to call from any thread and in a child, however it was forked. Fails with `internal` if the
/// kernel gives no random bytes.
OBOL_EXPORT Result<std::string> generate_session_id();

/// The first 16 hex digits of the SHA-256 of an id: what events carry instead of the id itself.
OBOL_EXPORT std::string session_id_hash(std::string_view id);

}  // namespace obol::inline v0
