// Seals and opens sessions.
#include "sealing/sealing.hpp"

#include <openssl/rand.h>

#include "sealing/cbor.hpp"
#include "sealing/cose_encrypt0.hpp"
#include "sealing/cose_mac0.hpp"
#include "sealing/hmac.hpp"

namespace obol::inline v0::sealing {
namespace {

constexpr std::size_t lock_version_bytes = 8;

std::uint64_t decode_lock_version(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

std::string external_data(std::string_view stored_key, std::string_view field, std::uint64_t lock_version) {
  std::string data;
  data.reserve(stored_key.size() + field.size() + 32);
  cbor::Writer(data).array(4).text("obol").bytes(stored_key).bytes(field).unsigned_integer(lock_version);
  return data;
}

std::unexpected<Error> openssl_refused() {
  return std::unexpected(Error{ErrorCode::internal, "OpenSSL could not seal the session; check memory and entropy"});
}

}  // namespace

std::string encode_lock_version(std::uint64_t lock_version) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(lock_version >> shift & 0xFF);
  return bytes;
}

Result<std::string> seal(const Session& session, std::string_view stored_key, const Keyring& keyring,
                         Encryption encryption) {
  Randomness randomness;
  auto& [write_id, nonce] = randomness;
  if (RAND_bytes(write_id.data(), static_cast<int>(write_id.size())) != 1) return openssl_refused();
  if (encryption != Encryption::off && RAND_bytes(nonce.data(), static_cast<int>(nonce.size())) != 1) {
    return openssl_refused();
  }
  return seal(session, stored_key, keyring, encryption, randomness);
}

Result<std::string> seal(const Session& session, std::string_view stored_key, const Keyring& keyring,
                         Encryption encryption, const Randomness& randomness) {
  std::string sealed = encode_lock_version(session.lock_version);
  const auto bound_to = external_data(stored_key, session.id, session.lock_version);
  const auto& key = keyring.keys()->current();
  auto payload = encode_session(session, randomness.write_id);
  const bool done = encryption == Encryption::off ? write_mac0(sealed, key, bound_to, payload)
                                                  : write_encrypt0(sealed, key, randomness.nonce, bound_to, payload);
  cleanse(payload.data(), payload.size());
  if (!done) return openssl_refused();
  return sealed;
}

std::expected<Session, VerificationFailure> open(std::string_view sealed, std::string_view stored_key,
                                                 const SessionKey& key, const Keyring& keyring, Encryption encryption) {
  if (sealed.size() < lock_version_bytes) return std::unexpected(VerificationFailure::malformed);
  const auto lock_version = decode_lock_version(sealed.substr(0, lock_version_bytes));
  if (lock_version == 0) return std::unexpected(VerificationFailure::malformed);
  const auto bound_to = external_data(stored_key, key.id, lock_version);
  const auto structure = sealed.substr(lock_version_bytes);
  Session session{.id = key.id, .user_id = key.user_id, .type = key.type};
  session.lock_version = lock_version;

  std::expected<void, VerificationFailure> decoded;
  if (is_encrypt0(structure)) {
    auto payload = open_encrypt0(structure, bound_to, *keyring.keys());
    if (!payload) return std::unexpected(payload.error());
    decoded = decode_session(*payload, session);
    cleanse(payload->data(), payload->size());
  } else {
    const auto payload = open_mac0(structure, bound_to, *keyring.keys());
    if (!payload) return std::unexpected(payload.error());
    if (encryption == Encryption::require) return std::unexpected(VerificationFailure::not_encrypted);
    decoded = decode_session(*payload, session);
  }
  if (!decoded) return std::unexpected(decoded.error());
  return session;
}

}  // namespace obol::inline v0::sealing
