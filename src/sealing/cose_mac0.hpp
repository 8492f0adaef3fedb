// COSE_Mac0 (RFC 9052, section 6.2) with HMAC 256/256, and the forms of it that Obol writes and accepts.
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

/// The headers of a COSE_Mac0 that Obol writes, as they are encoded.
struct Mac0Form {
  std::string_view before_key_id;     ///< All bytes up to the key id, which is the one unprotected parameter.
  std::string_view protected_header;  ///< Part of them: what the tag covers.
};

/// Tag 17, and the algorithm as the one protected parameter.
inline constexpr Mac0Form untyped_mac0{.before_key_id = "\xD1\x84\x43\xA1\x01\x05\xA1\x04",
                                       .protected_header = "\xA1\x01\x05"};

/// Appends a COSE_Mac0 in that form. False only where OpenSSL has no memory.
bool write_mac0(std::string& out, const LoadedKey& key, std::string_view external_data, std::string_view payload,
                const Mac0Form& form = untyped_mac0);

/// The payload of a COSE_Mac0 in exactly that form whose tag a key of the ring confirms.
std::expected<std::string_view, VerificationFailure> open_mac0(std::string_view bytes, std::string_view external_data,
                                                               const KeyringKeys& keys,
                                                               const Mac0Form& form = untyped_mac0);

}}}  // namespace obol::v0::sealing
