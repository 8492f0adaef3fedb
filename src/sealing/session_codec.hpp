// Session ↔ the CBOR map that is signed. docs/stored-format.md has its CDDL.
#pragma once

#include <array>
#include <expected>
#include <string>
#include <string_view>

#include "obol/session.hpp"
#include "obol/verification_failure.hpp"

namespace obol { inline namespace v0 { namespace sealing {

/// Random bytes that make two writers' bytes differ even where their sessions are equal, so that a write repeated after
/// a lost answer is told from a rival's.
using WriteId = std::array<unsigned char, 8>;

/// What the map holds: everything but user id, type, id and lock version, which say where it stands.
std::string encode_session(const Session& session, const WriteId& write_id);

/// Fills in what the map holds. Skips keys it does not know; `newer_format` for a format version above its own.
std::expected<void, VerificationFailure> decode_session(std::string_view bytes, Session& session);

}}}  // namespace obol::v0::sealing
