// The keys that sign sessions and session tokens: one current key, and older ones that still verify.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "obol/error.hpp"
#include "obol/export.hpp"

namespace obol::inline v0 {

namespace sealing {
struct KeyringKeys;
struct LoadedKey;
}  // namespace sealing

/// One signing key: HMAC-SHA-256, 32 bytes or more, and the id by which stored sessions name it. Cheap to copy; the key
/// itself is cleansed from memory with the last copy. Immutable, so safe to share between threads.
class OBOL_EXPORT SigningKey {
 public:
  /// Derives a key from the host's base secret: PBKDF2-HMAC-SHA-256 (RFC 8018), salt "RedisStore HMAC", 250 000
  /// iterations, 32 bytes, as Charon does. Takes tens of milliseconds; call it once. The secret must be 32 bytes or
  /// more of real randomness, else `invalid_argument`.
  static Result<SigningKey> from_base_secret(std::string_view base_secret);

  /// Uses these bytes (32 to 128 of real randomness) as the key. Without an id (1 to 32 bytes) one is derived from the
  /// key itself, so the same key has the same id everywhere. An id is stored beside each session in the clear.
  static Result<SigningKey> from_bytes(std::string_view key, std::string_view id = {});

  /// The id that stored sessions carry.
  std::string_view id() const noexcept;

 private:
  friend class Keyring;
  explicit SigningKey(std::shared_ptr<const sealing::LoadedKey> key) noexcept;
  std::shared_ptr<const sealing::LoadedKey> key_;
};

/// A key id as events and metrics show it: as it is where it consists of letters, digits, '.', '_' and '-' alone, else
/// "0x" and its bytes in hexadecimal; of a longer one than a key may have, the first 32 bytes.
OBOL_EXPORT std::string printable_key_id(std::string_view id);

/// One current key that signs, and any number of older keys that still verify. To rotate: make the new key current,
/// keep the old one as verifying until every session it signed has been refreshed or has expired, then leave it out.
///
///     auto keyring = obol::Keyring(new_key).with_verifying_key(old_key);
///
/// Cheap to copy and safe to read from any thread. A default-made keyring holds no key; stores refuse it.
class OBOL_EXPORT Keyring {
 public:
  /// A keyring without a key.
  Keyring() = default;

  /// A keyring of one key.
  explicit Keyring(const SigningKey& current);

  /// A keyring of the one key that SigningKey::from_base_secret derives.
  static Result<Keyring> from_base_secret(std::string_view base_secret);

  /// The same keyring, and `older` verifies too. Where a key of that id is already in the ring, that one stays.
  Keyring with_verifying_key(const SigningKey& older) const;

  /// Whether it holds no key.
  bool empty() const noexcept { return keys_ == nullptr; }

  /// The id of the current key; empty where there is none.
  std::string_view current_key_id() const noexcept;

  /// For Obol's own sealing layer.
  const sealing::KeyringKeys* keys() const noexcept { return keys_.get(); }

 private:
  std::shared_ptr<const sealing::KeyringKeys> keys_{};
};

}  // namespace obol::inline v0
