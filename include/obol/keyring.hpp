// The keys that sign sessions and session tokens: one current key, and others that only verify.
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

/// One current key that signs, and any number of other keys that only verify. A rotation is three deployments
/// (docs/guides/keys.md). Each must have reached every process before the next begins, or sessions that one process
/// signs are forged to another:
///
///     auto step_1 = obol::Keyring(old_key).with_verifying_key(new_key);  // Everybody can verify the new key.
///     auto step_2 = obol::Keyring(new_key).with_verifying_key(old_key);  // Everybody signs with it.
///     auto step_3 = obol::Keyring(new_key);  // When all that the old key signed was refreshed or has expired.
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

  /// The same keyring, and `other` verifies, too. A key that is in the ring already changes nothing; a different key of
  /// the same id is `invalid_argument`, since sessions name their key by its id alone. In an empty keyring the key
  /// becomes the current one.
  Result<Keyring> with_verifying_key(const SigningKey& other) const;

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
