// Derives and loads signing keys, and puts keyrings together.
#include "sealing/keyring.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/openssl_use.hpp"
#include "values/refusal.hpp"

namespace obol { inline namespace v0 {

namespace {

constexpr std::size_t least_key_bytes = 32;
constexpr std::size_t most_key_bytes = 128;
constexpr std::size_t most_id_bytes = 32;
constexpr std::string_view derivation_salt = "RedisStore HMAC";
constexpr std::string_view encryption_purpose = "obol session encryption A256GCM";
constexpr int derivation_iterations = 250'000;

std::unexpected<Error> openssl_refused() {
  return std::unexpected(
      Error{ErrorCode::internal, "OpenSSL cannot do HMAC-SHA-256, HKDF and AES-256-GCM here; check its providers"});
}

}  // namespace

const sealing::LoadedKey* sealing::KeyringKeys::find(std::string_view id) const {
  const auto found = std::ranges::find_if(all, [id](const auto& key) { return key->id == id; });
  return found == all.end() ? nullptr : found->get();
}

Result<void> sealing::KeyringKeys::check_ids_against(const KeyringKeys& other) const {
  for (const auto& key : other.all) {
    const auto* const own = find(key->id);
    if (own == nullptr || own->fingerprint == key->fingerprint) continue;
    return refuse(
        fmt::format("two different keys have the id {}; give each key its own id, or none, so that "
                    "it is derived from the key",
                    printable_key_id(key->id)));
  }
  return {};
}

std::string printable_key_id(std::string_view id) {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  id = id.substr(0, most_id_bytes);
  if (id.find_first_not_of(plain) == std::string_view::npos) return std::string(id);
  std::string text = "0x";
  for (const char byte : id) fmt::format_to(std::back_inserter(text), "{:02x}", static_cast<unsigned char>(byte));
  return text;
}

SigningKey::SigningKey(std::shared_ptr<const sealing::LoadedKey> key) noexcept : key_(std::move(key)) {}

std::string_view SigningKey::id() const noexcept { return key_->id; }

Result<SigningKey> SigningKey::from_bytes(std::string_view key, std::string_view id) {
  const OpensslUse use;
  if (key.size() < least_key_bytes || key.size() > most_key_bytes) {
    return refuse(fmt::format("the signing key is {} bytes long; {} to {} are allowed", key.size(), least_key_bytes,
                              most_key_bytes));
  }
  if (id.size() > most_id_bytes) {
    return refuse(fmt::format("the key id is {} bytes long; 1 to {} are allowed", id.size(), most_id_bytes));
  }
  auto hmac = sealing::HmacKey::load(key);
  auto aes = sealing::AesGcmKey::derive(key, encryption_purpose);
  if (!hmac || !aes) return openssl_refused();
  const auto digest = hmac->compute({"obol key id"});
  if (!digest) return openssl_refused();
  std::string fingerprint(sealing::as_text(*digest));
  std::string key_id = id.empty() ? fingerprint.substr(0, 8) : std::string(id);
  return SigningKey(std::make_shared<const sealing::LoadedKey>(sealing::LoadedKey{
      .id = std::move(key_id), .fingerprint = std::move(fingerprint), .hmac = std::move(hmac), .aes = std::move(aes)}));
}

Result<SigningKey> SigningKey::from_base_secret(std::string_view base_secret) {
  if (base_secret.empty()) {
    return refuse(
        "the base secret is empty: is the variable or file that it comes from set? Give at least 32 random bytes, such "
        "as from 'openssl rand -base64 48'");
  }
  if (base_secret.size() < least_key_bytes) {
    return refuse(
        fmt::format("the base secret is {} bytes long; give at least {} random bytes, such as from "
                    "'openssl rand -base64 48'",
                    base_secret.size(), least_key_bytes));
  }
  const OpensslUse use;
  std::array<unsigned char, 32> key{};
  const int derived = PKCS5_PBKDF2_HMAC(base_secret.data(), static_cast<int>(base_secret.size()),
                                        reinterpret_cast<const unsigned char*>(derivation_salt.data()),
                                        static_cast<int>(derivation_salt.size()), derivation_iterations, EVP_sha256(),
                                        static_cast<int>(key.size()), key.data());
  auto loaded = derived == 1 ? from_bytes({reinterpret_cast<const char*>(key.data()), key.size()})
                             : Result<SigningKey>(openssl_refused());
  sealing::cleanse(key.data(), key.size());
  return loaded;
}

Keyring::Keyring(const SigningKey& current)
    : keys_(std::make_shared<const sealing::KeyringKeys>(sealing::KeyringKeys{.all = {current.key_}})) {}

Result<Keyring> Keyring::from_base_secret(std::string_view base_secret) {
  auto key = SigningKey::from_base_secret(base_secret);
  if (!key) return std::unexpected(std::move(key.error()));
  return Keyring(*key);
}

Result<Keyring> Keyring::with_verifying_key(const SigningKey& other) const {
  if (empty()) return Keyring(other);
  if (auto valid = keys_->check_ids_against({.all = {other.key_}}); !valid) {
    return std::unexpected(std::move(valid.error()));
  }
  Keyring extended = *this;
  if (keys_->find(other.id()) != nullptr) return extended;
  auto keys = *keys_;
  keys.all.push_back(other.key_);
  extended.keys_ = std::make_shared<const sealing::KeyringKeys>(std::move(keys));
  return extended;
}

std::string_view Keyring::current_key_id() const noexcept {
  return empty() ? std::string_view{} : std::string_view(keys_->current().id);
}

}}  // namespace obol::v0
