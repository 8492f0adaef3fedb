// AES-GCM (NIST SP 800-38D) with one key, and the derivation of such keys.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sealing/context_slots.hpp"

struct evp_cipher_st;
struct evp_cipher_ctx_st;

namespace obol { inline namespace v0 { namespace sealing {

void free_cipher_context(evp_cipher_ctx_st* context);

/// Thread-safe, and usable in a forked child: takes no locks. The key is cleansed with it.
class AesGcmKey {
 public:
  static constexpr std::size_t nonce_bytes = 12;
  static constexpr std::size_t tag_bytes = 16;
  using Nonce = std::array<unsigned char, nonce_bytes>;

  /// Of 16 or 32 bytes. Null where OpenSSL refuses.
  static std::unique_ptr<const AesGcmKey> load(std::string_view key);

  /// A key of 32 bytes out of a longer-lived secret, with HKDF-SHA-256 (RFC 5869) without salt, for one purpose.
  static std::unique_ptr<const AesGcmKey> derive(std::string_view secret, std::string_view purpose);

  ~AesGcmKey();
  AesGcmKey(const AesGcmKey&) = delete;
  AesGcmKey& operator=(const AesGcmKey&) = delete;

  /// Ciphertext and tag. A nonce must never be used twice with one key. Nothing only where OpenSSL has no memory.
  std::optional<std::string> encrypt(const Nonce& nonce, std::string_view bound_to, std::string_view plaintext) const;

  /// The plaintext; nothing where the tag does not fit. The caller cleanses it.
  std::optional<std::string> decrypt(std::string_view nonce, std::string_view bound_to,
                                     std::string_view ciphertext) const;

 private:
  struct Free {
    void operator()(evp_cipher_st* cipher) const noexcept;
  };
  using Cipher = std::unique_ptr<evp_cipher_st, Free>;
  using Contexts = ContextSlots<evp_cipher_ctx_st, free_cipher_context>;

  AesGcmKey(std::string_view key, Cipher cipher);
  Contexts::Owned start(Contexts& contexts, const unsigned char* nonce, bool encrypts) const;

  std::array<unsigned char, 32> key_{};
  Cipher cipher_;
  mutable Contexts encrypting_;
  mutable Contexts decrypting_;
};

/// HKDF-SHA-256 (RFC 5869) without salt into `out`. False where OpenSSL refuses.
bool hkdf(std::string_view secret, std::string_view purpose, unsigned char* out, std::size_t size);

}}}  // namespace obol::v0::sealing
