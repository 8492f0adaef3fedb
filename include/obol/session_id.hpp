// Session ids: generates unguessable ids, and short hashes that identify them in logs.
#pragma once

#include <string>
#include <string_view>

#include "obol/error.hpp"
#include "obol/export.hpp"

namespace obol { inline namespace v0 {

/// Returns a new session id: 128 random bits from the kernel (getrandom(2)) as 22 characters of base64url (RFC 4648,
/// section 5). Takes no lock. Safe to call from any thread and in a child, however it was forked. Fails with `internal`
/// if the kernel provides no random bytes.
OBOL_EXPORT Result<std::string> generate_session_id();

/// Returns the first 16 hex digits of the SHA-256 of an id. Events contain it instead of the id.
OBOL_EXPORT std::string session_id_hash(std::string_view id);

}}  // namespace obol::v0
