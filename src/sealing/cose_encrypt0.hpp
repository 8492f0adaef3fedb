// COSE_Encrypt0 (RFC 9052, section 5.2) with AES-GCM, and the one form of it that Obol writes and accepts.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "obol/verification_failure.hpp"
#include "sealing/aes_gcm.hpp"
#include "sealing/cose_headers.hpp"
#include "sealing/keyring.hpp"

namespace obol { inline namespace v0 { namespace sealing {

/// A COSE_Encrypt0 taken apart; views into the bytes it was read from.
struct Encrypt0 : CoseHeaders {
  std::string_view ciphertext;  ///< With its tag.
};

/// Takes a whole COSE_Encrypt0 apart, with or without tag 16. Nothing where it is malformed, has any header but the
/// algorithm (A128GCM or A256GCM), the key id and the nonce, or anything follows it.
std::optional<Encrypt0> parse_encrypt0(std::string_view bytes);

/// What AES-GCM authenticates beside the ciphertext: the Enc_structure (RFC 9052, section 5.3).
std::string encrypt0_bound_data(std::string_view protected_header, std::string_view external_data);

/// True where these bytes begin as Obol's COSE_Encrypt0 does.
bool is_encrypt0(std::string_view bytes);

/// Appends a COSE_Encrypt0 as Obol writes it: tag 16, A256GCM in the protected header, the key id and the nonce in the
/// unprotected one. False only where OpenSSL has no memory.
bool write_encrypt0(std::string& out, const LoadedKey& key, const AesGcmKey::Nonce& nonce,
                    std::string_view external_data, std::string_view payload);

/// The payload of a COSE_Encrypt0 in exactly Obol's form that a key of the ring decrypts. The caller cleanses it.
std::expected<std::string, VerificationFailure> open_encrypt0(std::string_view bytes, std::string_view external_data,
                                                              const KeyringKeys& keys);

}}}  // namespace obol::v0::sealing
