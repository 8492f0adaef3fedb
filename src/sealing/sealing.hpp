// Seals sessions: a session in, signed bytes out, bound to the stored key and id they belong to; and back.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "obol/encryption.hpp"
#include "obol/error.hpp"
#include "obol/keyring.hpp"
#include "obol/session.hpp"
#include "obol/verification_failure.hpp"
#include "sealing/aes_gcm.hpp"
#include "sealing/session_codec.hpp"

namespace obol { inline namespace v0 { namespace sealing {

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

/// `internal` if the kernel gives none.
Result<Randomness> draw_randomness(Encryption encryption);

/// The same with given random bytes.
Result<std::string> seal(const Session& session, std::string_view stored_key, const Keyring& keyring,
                         Encryption encryption, const Randomness& randomness);

/// The field and the version that a session is stored as, if it does not say so itself.
struct StoredAs {
  std::string_view id;
  std::uint64_t lock_version;
};

/// The same as that.
Result<std::string> seal(const Session& session, const StoredAs& stored_as, std::string_view stored_key,
                         const Keyring& keyring, Encryption encryption, const Randomness& randomness);

/// The session that was sealed for exactly this stored key, verified before anything of it is read.
std::expected<Session, VerificationFailure> open(std::string_view sealed, std::string_view stored_key,
                                                 const SessionKey& key, const Keyring& keyring, Encryption encryption);

/// The same into a session that has its key's members already. After a failure its others mean nothing.
std::expected<void, VerificationFailure> open(std::string_view sealed, std::string_view stored_key,
                                              const Keyring& keyring, Encryption encryption, Session& session);

/// What `open` has accepted, sealed anew for the same stored key with the keyring's current key: the same payload, byte
/// for byte, at the same lock version; encrypted where it was, or where that is asked for. `internal` where OpenSSL
/// refuses.
Result<std::string> reseal(std::string_view sealed, std::string_view stored_key, const SessionKey& key,
                           const Keyring& keyring, Encryption encryption);

/// What a sealed session says of itself; nothing of it is verified.
struct Inscription {
  std::uint64_t lock_version = 0;
  std::string_view key_id;  ///< A view into the sealed session.
  bool is_encrypted = false;
};

/// Nothing where the bytes are not of Obol's form.
std::optional<Inscription> inscription(std::string_view sealed);

/// The key that a sealed session names.
struct NamedKey {
  std::string_view id;  ///< A view into the sealed session.
  bool is_in_keyring;
};

/// Verifies nothing. Nothing where the session is malformed or names no key.
std::optional<NamedKey> named_key(std::string_view sealed, const Keyring& keyring);

}}}  // namespace obol::v0::sealing
