// Seals and opens sessions.
#include "sealing/sealing.hpp"

#include <array>
#include <cstddef>
#include <memory_resource>
#include <utility>

#include "base/randomness.hpp"
#include "sealing/cbor.hpp"
#include "sealing/cose_encrypt0.hpp"
#include "sealing/cose_headers.hpp"
#include "sealing/cose_mac0.hpp"
#include "sealing/hmac.hpp"

namespace obol { inline namespace v0 { namespace sealing {
namespace {

constexpr std::size_t lock_version_bytes = 8;

std::uint64_t decode_lock_version(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

/// What a sealed session is bound to; on the stack, unless somebody else's ids are longer than ours may be.
class ExternalData {
 public:
  ExternalData(std::string_view stored_key, std::string_view field, std::uint64_t lock_version) {
    bytes_.reserve(stored_key.size() + field.size() + 32);
    cbor::Writer(bytes_).array(4).text("obol").bytes(stored_key).bytes(field).unsigned_integer(lock_version);
  }
  std::string_view view() const { return bytes_; }

 private:
  std::array<std::byte, 768> buffer_;
  std::pmr::monotonic_buffer_resource memory_{buffer_.data(), buffer_.size()};
  std::pmr::string bytes_{&memory_};
};

std::unexpected<Error> openssl_refused() {
  return std::unexpected(Error{ErrorCode::internal,
                               "the session could not be sealed; check memory, OpenSSL's providers and getrandom(2)"});
}

std::optional<std::string> payload_of(std::string_view structure, std::string_view bound_to, const Keyring& keyring) {
  if (is_encrypt0(structure)) {
    auto payload = open_encrypt0(structure, bound_to, *keyring.keys());
    return payload ? std::optional(std::move(*payload)) : std::nullopt;
  }
  const auto payload = open_mac0(structure, bound_to, *keyring.keys());
  return payload ? std::optional<std::string>(*payload) : std::nullopt;
}

}  // namespace

std::string encode_lock_version(std::uint64_t lock_version) {
  std::string bytes(lock_version_bytes, '\0');
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, lock_version >>= 8) {
    *byte = static_cast<char>(lock_version & 0xFF);
  }
  return bytes;
}

Result<Randomness> draw_randomness(Encryption encryption) {
  Randomness randomness;
  auto& [write_id, nonce] = randomness;
  if (!random_bytes(write_id.data(), write_id.size())) return openssl_refused();
  if (encryption != Encryption::off && !random_bytes(nonce.data(), nonce.size())) return openssl_refused();
  return randomness;
}

Result<std::string> seal(const Session& session, std::string_view stored_key, const Keyring& keyring,
                         Encryption encryption) {
  const auto randomness = draw_randomness(encryption);
  if (!randomness) return std::unexpected(randomness.error());
  return seal(session, stored_key, keyring, encryption, *randomness);
}

Result<std::string> seal(const Session& session, std::string_view stored_key, const Keyring& keyring,
                         Encryption encryption, const Randomness& randomness) {
  return seal(session, {.id = session.id, .lock_version = session.lock_version}, stored_key, keyring, encryption,
              randomness);
}

Result<std::string> seal(const Session& session, const StoredAs& stored_as, std::string_view stored_key,
                         const Keyring& keyring, Encryption encryption, const Randomness& randomness) {
  std::string sealed = encode_lock_version(stored_as.lock_version);
  const ExternalData bound_to(stored_key, stored_as.id, stored_as.lock_version);
  const auto& key = keyring.keys()->current();
  auto payload = encode_session(session, randomness.write_id);
  const bool done = encryption == Encryption::off
                        ? write_mac0(sealed, key, bound_to.view(), payload)
                        : write_encrypt0(sealed, key, randomness.nonce, bound_to.view(), payload);
  cleanse(payload.data(), payload.size());
  if (!done) return openssl_refused();
  return sealed;
}

std::expected<Session, VerificationFailure> open(std::string_view sealed, std::string_view stored_key,
                                                 const SessionKey& key, const Keyring& keyring, Encryption encryption) {
  std::expected<Session, VerificationFailure> session(std::in_place);
  session->id = key.id;
  session->user_id = key.user_id;
  session->type = key.type;
  if (auto opened = open(sealed, stored_key, keyring, encryption, *session); !opened) {
    session = std::unexpected(opened.error());
  }
  return session;
}

std::expected<void, VerificationFailure> open(std::string_view sealed, std::string_view stored_key,
                                              const Keyring& keyring, Encryption encryption, Session& session) {
  if (sealed.size() < lock_version_bytes) return std::unexpected(VerificationFailure::malformed);
  session.lock_version = decode_lock_version(sealed.substr(0, lock_version_bytes));
  if (session.lock_version == 0) return std::unexpected(VerificationFailure::malformed);
  const ExternalData bound_to(stored_key, session.id, session.lock_version);
  const auto structure = sealed.substr(lock_version_bytes);
  if (is_encrypt0(structure)) {
    auto payload = open_encrypt0(structure, bound_to.view(), *keyring.keys());
    if (!payload) return std::unexpected(payload.error());
    const auto decoded = decode_session(*payload, session);
    cleanse(payload->data(), payload->size());
    return decoded;
  }
  const auto payload = open_mac0(structure, bound_to.view(), *keyring.keys());
  if (!payload) return std::unexpected(payload.error());
  if (encryption == Encryption::require) return std::unexpected(VerificationFailure::not_encrypted);
  return decode_session(*payload, session);
}

// Not decoded and encoded again: that would drop what a newer Obol may have added.
Result<std::string> reseal(std::string_view sealed, std::string_view stored_key, const SessionKey& key,
                           const Keyring& keyring, Encryption encryption) {
  const auto lock_version = sealed.substr(0, lock_version_bytes);
  const auto structure = sealed.substr(lock_version.size());
  const ExternalData bound_to(stored_key, key.id, decode_lock_version(lock_version));
  const auto& current = keyring.keys()->current();
  auto payload = payload_of(structure, bound_to.view(), keyring);
  if (!payload) return openssl_refused();
  std::string resealed(lock_version);
  bool done = false;
  if (is_encrypt0(structure) || encryption != Encryption::off) {
    AesGcmKey::Nonce nonce{};
    done =
        random_bytes(nonce.data(), nonce.size()) && write_encrypt0(resealed, current, nonce, bound_to.view(), *payload);
  } else {
    done = write_mac0(resealed, current, bound_to.view(), *payload);
  }
  cleanse(payload->data(), payload->size());
  if (!done) return openssl_refused();
  return resealed;
}

std::optional<Inscription> inscription(std::string_view sealed) {
  if (sealed.size() < lock_version_bytes) return std::nullopt;
  const auto structure = sealed.substr(lock_version_bytes);
  CoseHeaders headers;
  const bool is_encrypted = is_encrypt0(structure);
  cbor::Reader reader(structure);
  // The tags and lengths of COSE_Encrypt0 and COSE_Mac0 (RFC 9052, sections 2, 5.2 and 6.2).
  const bool is_read = is_encrypted ? read_headers(reader, 16, 3, headers) : read_headers(reader, 17, 4, headers);
  if (!is_read || !headers.tagged || !headers.key_id) return std::nullopt;
  return Inscription{.lock_version = decode_lock_version(sealed.substr(0, lock_version_bytes)),
                     .key_id = *headers.key_id,
                     .is_encrypted = is_encrypted};
}

std::optional<NamedKey> named_key(std::string_view sealed, const Keyring& keyring) {
  const auto said = inscription(sealed);
  if (!said) return std::nullopt;
  return NamedKey{.id = said->key_id, .is_in_keyring = keyring.keys()->find(said->key_id) != nullptr};
}

}}}  // namespace obol::v0::sealing
