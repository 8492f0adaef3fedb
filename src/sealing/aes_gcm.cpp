// AES-GCM and HKDF with OpenSSL's EVP interface.
#include "sealing/aes_gcm.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <utility>

#include "base/openssl_use.hpp"

namespace obol { inline namespace v0 { namespace sealing {
namespace {

struct FreeContext {
  void operator()(EVP_KDF* kdf) const noexcept { ::EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const noexcept { ::EVP_KDF_CTX_free(context); }
};

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
int size_of(std::string_view text) { return static_cast<int>(text.size()); }

OSSL_PARAM octets(const char* name, std::string_view value) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(value.data()), value.size());
}

}  // namespace

// The last owner of a key may be a thread that outlives main.
void free_cipher_context(evp_cipher_ctx_st* context) {
  const OpensslUse use;
  ::EVP_CIPHER_CTX_free(context);
}

bool hkdf(std::string_view secret, std::string_view purpose, unsigned char* out, std::size_t size) {
  const std::unique_ptr<EVP_KDF, FreeContext> kdf(::EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  if (!kdf) return false;
  const std::unique_ptr<EVP_KDF_CTX, FreeContext> context(::EVP_KDF_CTX_new(kdf.get()));
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                                   octets(OSSL_KDF_PARAM_KEY, secret), octets(OSSL_KDF_PARAM_INFO, purpose),
                                   OSSL_PARAM_construct_end()};
  return context && ::EVP_KDF_derive(context.get(), out, size, parameters) == 1;
}

void AesGcmKey::Free::operator()(evp_cipher_st* cipher) const noexcept {
  const OpensslUse use;
  ::EVP_CIPHER_free(cipher);
}

AesGcmKey::AesGcmKey(std::string_view key, Cipher cipher) : cipher_(std::move(cipher)) {
  std::ranges::copy(key, key_.begin());
}

AesGcmKey::~AesGcmKey() { ::OPENSSL_cleanse(key_.data(), key_.size()); }

std::unique_ptr<const AesGcmKey> AesGcmKey::load(std::string_view key) {
  if (key.size() != 16 && key.size() != 32) return nullptr;
  Cipher cipher(::EVP_CIPHER_fetch(nullptr, key.size() == 32 ? "AES-256-GCM" : "AES-128-GCM", nullptr));
  if (!cipher) return nullptr;
  return std::unique_ptr<const AesGcmKey>(new AesGcmKey(key, std::move(cipher)));
}

std::unique_ptr<const AesGcmKey> AesGcmKey::derive(std::string_view secret, std::string_view purpose) {
  std::array<unsigned char, 32> key{};
  const bool derived = hkdf(secret, purpose, key.data(), key.size());
  auto loaded = derived ? load({reinterpret_cast<const char*>(key.data()), key.size()}) : nullptr;
  ::OPENSSL_cleanse(key.data(), key.size());
  return loaded;
}

// The key schedule is made once for each context.
AesGcmKey::Contexts::Owned AesGcmKey::start(Contexts& contexts, const unsigned char* nonce, bool encrypts) const {
  auto context = contexts.take();
  const bool is_new = !context;
  if (is_new) context.reset(::EVP_CIPHER_CTX_new());
  const bool ready =
      context && ::EVP_CipherInit_ex2(context.get(), is_new ? cipher_.get() : nullptr, is_new ? key_.data() : nullptr,
                                      nonce, encrypts ? 1 : 0, nullptr) == 1;
  return ready ? std::move(context) : nullptr;
}

std::optional<std::string> AesGcmKey::encrypt(const Nonce& nonce, std::string_view bound_to,
                                              std::string_view plaintext) const {
  auto context = start(encrypting_, nonce.data(), true);
  std::string out(plaintext.size() + tag_bytes, '\0');
  int written = 0;
  const bool done =
      context && ::EVP_EncryptUpdate(context.get(), nullptr, &written, bytes_of(bound_to), size_of(bound_to)) == 1 &&
      ::EVP_EncryptUpdate(context.get(), bytes_of(out), &written, bytes_of(plaintext), size_of(plaintext)) == 1 &&
      ::EVP_EncryptFinal_ex(context.get(), bytes_of(out) + plaintext.size(), &written) == 1 &&
      ::EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, tag_bytes, out.data() + plaintext.size()) == 1;
  if (!done) return std::nullopt;
  encrypting_.put_back(std::move(context));
  return out;
}

std::optional<std::string> AesGcmKey::decrypt(std::string_view nonce, std::string_view bound_to,
                                              std::string_view ciphertext) const {
  if (nonce.size() != nonce_bytes || ciphertext.size() < tag_bytes) return std::nullopt;
  const auto text = ciphertext.substr(0, ciphertext.size() - tag_bytes);
  std::string tag(ciphertext.substr(text.size()));
  auto context = start(decrypting_, bytes_of(nonce), false);
  std::string out(text.size() + 1, '\0');
  int written = 0;
  const bool done = context &&
                    ::EVP_DecryptUpdate(context.get(), nullptr, &written, bytes_of(bound_to), size_of(bound_to)) == 1 &&
                    ::EVP_DecryptUpdate(context.get(), bytes_of(out), &written, bytes_of(text), size_of(text)) == 1 &&
                    ::EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, tag_bytes, tag.data()) == 1 &&
                    ::EVP_DecryptFinal_ex(context.get(), bytes_of(out) + text.size(), &written) == 1;
  out.resize(text.size());
  if (done) {
    decrypting_.put_back(std::move(context));
    return out;
  }
  ::OPENSSL_cleanse(out.data(), out.size());
  return std::nullopt;
}

}}}  // namespace obol::v0::sealing
