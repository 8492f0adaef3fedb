// Makes session ids from the kernel's random bytes, and their short hashes.
#include "obol/session_id.hpp"

#include <openssl/evp.h>

#include <array>

#include "base/base64url.hpp"
#include "base/openssl_use.hpp"
#include "base/randomness.hpp"

namespace obol { inline namespace v0 {

Result<std::string> generate_session_id() {
  std::array<unsigned char, 16> bytes{};
  if (!random_bytes(bytes.data(), bytes.size())) {
    return std::unexpected(
        Error{ErrorCode::internal,
              "the kernel provided no random bytes; is getrandom(2) forbidden here, for example by seccomp?"});
  }
  return base64url_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string session_id_hash(std::string_view id) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  const OpensslUse use;
  if (EVP_Digest(id.data(), id.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) return {};
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < 8; ++i) {
    text += digits[digest[i] >> 4];
    text += digits[digest[i] & 15];
  }
  return text;
}

}}  // namespace obol::v0
