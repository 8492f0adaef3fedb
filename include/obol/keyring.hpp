// The keys that sign sessions and session tokens: one current key, and others that only verify.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "obol/error.hpp"
#include "obol/export.hpp"

namespace obol { inline namespace v0 {

namespace sealing {
struct KeyringKeys;
struct LoadedKey;
}  // namespace sealing

/// One signing key: HMAC-SHA-256, 32 bytes or more, and the id by which stored sessions refer to it. Cheap to copy; the
/// key is erased from memory with the last copy. Immutable, so it can be shared between threads.
class OBOL_EXPORT SigningKey {
 public:
  /// Derives a key from the host's base secret: PBKDF2-HMAC-SHA-256 (RFC 8018), salt "RedisStore HMAC", 250 000
  /// iterations, 32 bytes, like Charon. Takes tens of milliseconds; call it once. The secret must be at least 32 random
  /// bytes, else the call fails with `invalid_argument`.
  static Result<SigningKey> from_base_secret(std::string_view base_secret);

  /// Uses these bytes (32 to 128, random) as the key. If no id (1 to 32 bytes) is given, one is derived from the key,
  /// so that the same key has the same id everywhere. The id is stored with each session, unencrypted.
  static Result<SigningKey> from_bytes(std::string_view key, std::string_view id = {});

  /// Returns the id that stored sessions carry.
  std::string_view id() const noexcept;

 private:
  friend class Keyring;
  explicit SigningKey(std::shared_ptr<const sealing::LoadedKey> key) noexcept;
  std::shared_ptr<const sealing::LoadedKey> key_;
};

/// Returns a key id as events and metrics show it: unchanged if it consists only of letters, digits, '.', '_' and '-',
/// else "0x" and its bytes in hexadecimal. Of an id that is longer than a key's may be, only the first 32 bytes are
/// used.
OBOL_EXPORT std::string printable_key_id(std::string_view id);

/// One current key that signs, and any number of other keys that only verify. A rotation takes three deployments
/// (docs/guides/keys.md). Each must have reached every process before the next begins; otherwise some processes treat
/// sessions that others signed as forged:
///
///     auto step_1 = obol::Keyring(old_key).with_verifying_key(new_key);  // Everybody can verify the new key.
///     auto step_2 = obol::Keyring(new_key).with_verifying_key(old_key);  // Everybody signs with it.
///     auto step_3 = obol::Keyring(new_key);  // When all that the old key signed was refreshed or has expired.
///
/// Cheap to copy and safe to read from any thread. A default-constructed keyring is empty; stores refuse it.
class OBOL_EXPORT Keyring {
 public:
  /// Creates an empty keyring.
  Keyring() = default;

  /// Creates a keyring with one key.
  explicit Keyring(const SigningKey& current);

  /// Creates a keyring with the key that SigningKey::from_base_secret derives.
  static Result<Keyring> from_base_secret(std::string_view base_secret);

  /// Returns this keyring with `other` as an additional verifying key. A key that is already present changes nothing.
  /// Fails with `invalid_argument` for a different key with the same id, since sessions refer to their key only by its
  /// id. In an empty keyring the key becomes the current one.
  Result<Keyring> with_verifying_key(const SigningKey& other) const;

  /// Returns whether the keyring has no key.
  bool empty() const noexcept { return keys_ == nullptr; }

  /// Returns the id of the current key, or an empty string if there is none.
  std::string_view current_key_id() const noexcept;

  /// For internal use by Obol's sealing layer.
  const sealing::KeyringKeys* keys() const noexcept { return keys_.get(); }

 private:
  std::shared_ptr<const sealing::KeyringKeys> keys_{};
};

}}  // namespace obol::v0
