// HMAC-SHA-256 with OpenSSL.
#include "sealing/hmac.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/openssl_use.hpp"

namespace obol { inline namespace v0 { namespace sealing {

bool equal_constant_time(std::string_view left, std::string_view right) {
  return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

void cleanse(void* bytes, std::size_t size) { OPENSSL_cleanse(bytes, size); }

// The last owner of a key may be a thread that outlives main.
void free_mac_context(evp_mac_ctx_st* context) {
  const OpensslUse use;
  EVP_MAC_CTX_free(context);
}

std::unique_ptr<const HmacKey> HmacKey::load(std::string_view key) {
  // OpenSSL 3.0.0 to 3.0.2 ignore the re-initialisation (openssl/openssl#17811): the second message's code is wrong.
  const auto way = choose_way([](HmacWay possible) {
    const auto probe = load("Jefe", possible);
    return probe && gives_known_answers([&probe](auto pieces) { return probe->compute(pieces); });
  });
  return way ? load(key, *way) : nullptr;
}

std::unique_ptr<const HmacKey> HmacKey::load(std::string_view key, HmacWay way) {
  if (way == HmacWay::states) {
    auto states = HmacStates::make(key);
    return states ? std::unique_ptr<const HmacKey>(new HmacKey(std::move(states))) : nullptr;
  }
  const std::unique_ptr<EVP_MAC, void (*)(EVP_MAC*)> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr), EVP_MAC_free);
  if (!mac) return nullptr;
  Contexts::Owned context(EVP_MAC_CTX_new(mac.get()));
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  if (!context ||
      EVP_MAC_init(context.get(), reinterpret_cast<const unsigned char*>(key.data()), key.size(), parameters) != 1) {
    return nullptr;
  }
  return std::unique_ptr<const HmacKey>(new HmacKey(std::move(context), way));
}

HmacKey::Contexts::Owned HmacKey::take() const {
  if (auto kept = kept_.take(); kept && EVP_MAC_init(kept.get(), nullptr, 0, nullptr) == 1) return kept;
  return Contexts::Owned(EVP_MAC_CTX_dup(untouched_.get()));
}

std::optional<Digest> HmacKey::compute(std::initializer_list<std::string_view> pieces) const {
  if (states_) return states_->compute(pieces);
  auto context = take();
  if (!context) return std::nullopt;
  for (const auto piece : pieces) {
    if (EVP_MAC_update(context.get(), reinterpret_cast<const unsigned char*>(piece.data()), piece.size()) != 1) {
      return std::nullopt;
    }
  }
  Digest digest;
  std::size_t length = 0;
  if (EVP_MAC_final(context.get(), digest.data(), &length, digest.size()) != 1 || length != digest.size()) {
    return std::nullopt;
  }
  if (way_ == HmacWay::reinitialise) kept_.put_back(std::move(context));
  return digest;
}

// Three times: the first code of a context is always right.
bool gives_known_answers(const ComputeCode& compute) {
  constexpr std::string_view expected(
      "\x5b\xdc\xc1\x46\xbf\x60\x75\x4e\x6a\x04\x24\x26\x08\x95\x75\xc7"
      "\x5a\x00\x3f\x08\x9d\x27\x39\x83\x9d\xec\x58\xb9\x64\xec\x38\x43",
      32);
  for (int i = 0; i < 3; ++i) {
    const auto digest = compute({"what do ya want ", "for nothing?"});
    if (!digest || as_text(*digest) != expected) return false;
  }
  return true;
}

std::optional<HmacWay> choose_way(const std::function<bool(HmacWay)>& is_right) {
  for (const auto way : {HmacWay::states, HmacWay::reinitialise, HmacWay::duplicate}) {
    if (is_right(way)) return way;
  }
  return std::nullopt;
}

}}}  // namespace obol::v0::sealing
