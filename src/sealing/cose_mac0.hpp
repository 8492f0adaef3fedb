// COSE_Mac0 (RFC 9052, section 6.2) with HMAC 256/256, and the one form of it that Obol writes and accepts.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "obol/verification_failure.hpp"
#include "sealing/hmac.hpp"
#include "sealing/keyring.hpp"

namespace obol { inline namespace v0 { namespace sealing {

/// The tag of a COSE_Mac0: HMAC-SHA-256 over the MAC_structure (RFC 9052, section 6.3).
std::optional<Digest> mac0_tag(const HmacKey& key, std::string_view protected_header, std::string_view external_data,
                               std::string_view payload);

/// Appends a COSE_Mac0 as Obol writes it: tag 17, the algorithm in the protected header, the key id in the unprotected
/// one. False only where OpenSSL has no memory.
bool write_mac0(std::string& out, const LoadedKey& key, std::string_view external_data, std::string_view payload);

/// The payload of a COSE_Mac0 in exactly Obol's form whose tag a key of the ring confirms.
std::expected<std::string_view, VerificationFailure> open_mac0(std::string_view bytes, std::string_view external_data,
                                                               const KeyringKeys& keys);

}}}  // namespace obol::v0::sealing
