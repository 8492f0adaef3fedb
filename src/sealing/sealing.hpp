// The face of this layer: a session in, signed bytes out, bound to the place where they will stand; and back.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "obol/encryption.hpp"
#include "obol/error.hpp"
#include "obol/keyring.hpp"
#include "obol/observer.hpp"
#include "obol/session.hpp"
#include "sealing/aes_gcm.hpp"
#include "sealing/session_codec.hpp"

namespace obol::inline v0::sealing {

/// A lock version as a sealed session begins with it: 8 bytes, big-endian.
std::string encode_lock_version(std::uint64_t lock_version);

/// The bytes to store in the hash `stored_key`, field `session.id`: lock version, then a COSE_Mac0, or a COSE_Encrypt0
/// where that is asked for, whose external data is ["obol", stored key, field, lock version]. The keyring must hold a
/// key. `internal` where OpenSSL refuses.
Result<std::string> seal(const Session& session, std::string_view stored_key, const Keyring& keyring,
                         Encryption encryption);

/// What makes two writes of one session differ.
struct Randomness {
  WriteId write_id{};
  AesGcmKey::Nonce nonce{};  ///< For encryption.
};

/// The same with given random bytes.
Result<std::string> seal(const Session& session, std::string_view stored_key, const Keyring& keyring,
                         Encryption encryption, const Randomness& randomness);

/// The session that was sealed for exactly this place, verified before anything of it is read.
std::expected<Session, VerificationFailure> open(std::string_view sealed, std::string_view stored_key,
                                                 const SessionKey& key, const Keyring& keyring, Encryption encryption);

}  // namespace obol::inline v0::sealing
