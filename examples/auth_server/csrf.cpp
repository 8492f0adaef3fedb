// Masks and compares secrets with libsodium, and compares origins.
#include "csrf.hpp"

#include <sodium.h>

#include <cstddef>

namespace example::auth_server {
namespace {

constexpr int encoding = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
constexpr std::size_t most_secret_bytes = 64;

std::string to_base64(const std::string& bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), encoding), '\0');
  ::sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                      encoding);
  text.pop_back();
  return text;
}

std::string from_base64(std::string_view text) {
  std::string bytes(text.size(), '\0');
  std::size_t size = 0;
  if (::sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(), text.size(),
                          nullptr, &size, nullptr, encoding) != 0) {
    return {};
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace

std::string mask_secret(std::string_view secret) {
  std::string bytes(secret.size() * 2, '\0');
  ::randombytes_buf(bytes.data(), secret.size());
  for (std::size_t i = 0; i < secret.size(); ++i) {
    bytes[secret.size() + i] = static_cast<char>(bytes[i] ^ secret[i]);
  }
  return to_base64(bytes);
}

bool proves_secret(std::string_view masked, std::string_view secret) {
  if (secret.empty() || masked.size() > most_secret_bytes * 3) return false;
  const auto bytes = from_base64(masked);
  if (bytes.size() != secret.size() * 2) return false;
  std::string unmasked(secret.size(), '\0');
  for (std::size_t i = 0; i < secret.size(); ++i) {
    unmasked[i] = static_cast<char>(bytes[i] ^ bytes[secret.size() + i]);
  }
  return ::sodium_memcmp(unmasked.data(), secret.data(), secret.size()) == 0;
}

bool is_from_own_page(const RequestOrigin& request, bool is_over_tls) {
  if (!request.sec_fetch_site.empty() && request.sec_fetch_site != "same-origin") return false;
  return !request.host.empty() && request.origin == (is_over_tls ? "https://" : "http://") + request.host;
}

}  // namespace example::auth_server
