// A bare HMAC-SHA-256, the limit of verifying.
#pragma once

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <memory>
#include <string_view>

#include "world.hpp"

namespace obol::benchmark {

/// The cheapest way OpenSSL's public interface has: one context, begun anew for each message.
class BareHmac {
 public:
  BareHmac() {
    const std::unique_ptr<EVP_MAC, void (*)(EVP_MAC*)> mac(::EVP_MAC_fetch(nullptr, "HMAC", nullptr), ::EVP_MAC_free);
    context_.reset(::EVP_MAC_CTX_new(mac.get()));
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                     OSSL_PARAM_construct_end()};
    const std::array<unsigned char, 32> key{};
    require(::EVP_MAC_init(context_.get(), key.data(), key.size(), parameters) == 1, "EVP_MAC_init");
  }

  void compute(std::string_view bytes) {
    std::size_t length = 0;
    require(
        ::EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1 &&
            ::EVP_MAC_update(context_.get(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) == 1 &&
            ::EVP_MAC_final(context_.get(), tag_.data(), &length, tag_.size()) == 1,
        "HMAC");
  }

 private:
  struct Free {
    void operator()(EVP_MAC_CTX* context) const noexcept { ::EVP_MAC_CTX_free(context); }
  };
  std::unique_ptr<EVP_MAC_CTX, Free> context_;
  std::array<unsigned char, 32> tag_{};
};

}  // namespace obol::benchmark
