// Keeps the hash states behind the two padded keys.
#include "sealing/hmac_states.hpp"

// SHA256_Init and its like: deprecated, since they do not ask providers, which is why make() does.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <utility>

namespace obol { inline namespace v0 { namespace sealing {

#ifdef OPENSSL_NO_DEPRECATED_3_0

struct HmacStates::Hashes {};
std::unique_ptr<const HmacStates> HmacStates::make(std::string_view) { return nullptr; }
Digest HmacStates::compute(std::initializer_list<std::string_view>) const { return {}; }

#else

struct HmacStates::Hashes {
  SHA256_CTX inner, outer;

  Hashes() = default;
  Hashes(const Hashes&) = delete;
  Hashes& operator=(const Hashes&) = delete;
  ~Hashes() { OPENSSL_cleanse(this, sizeof *this); }
};

namespace {

using Block = std::array<unsigned char, SHA256_CBLOCK>;

bool default_provider_serves_sha256() {
  const std::unique_ptr<EVP_MD, void (*)(EVP_MD*)> hash(EVP_MD_fetch(nullptr, "SHA256", nullptr), EVP_MD_free);
  if (!hash) return false;
  return std::string_view(OSSL_PROVIDER_get0_name(EVP_MD_get0_provider(hash.get()))) == "default";
}

Digest digest_of(SHA256_CTX hash, std::initializer_list<std::string_view> pieces) {
  for (const auto piece : pieces) SHA256_Update(&hash, piece.data(), piece.size());
  Digest digest;
  SHA256_Final(digest.data(), &hash);
  return digest;
}

void begin_with(SHA256_CTX& hash, const Block& key, unsigned char pad) {
  Block padded;
  std::ranges::transform(key, padded.begin(), [pad](unsigned char byte) { return byte ^ pad; });
  SHA256_Init(&hash);
  SHA256_Update(&hash, padded.data(), padded.size());
  OPENSSL_cleanse(padded.data(), padded.size());
}

}  // namespace

std::unique_ptr<const HmacStates> HmacStates::make(std::string_view key) {
  if (!default_provider_serves_sha256()) return nullptr;
  Block block{};
  if (key.size() <= block.size()) {
    std::ranges::copy(key, block.begin());
  } else {
    SHA256_CTX hash;
    SHA256_Init(&hash);
    auto digest = digest_of(hash, {key});
    std::ranges::copy(digest, block.begin());
    OPENSSL_cleanse(digest.data(), digest.size());
  }
  auto hashes = std::make_unique<Hashes>();
  begin_with(hashes->inner, block, 0x36);
  begin_with(hashes->outer, block, 0x5c);
  OPENSSL_cleanse(block.data(), block.size());
  return std::unique_ptr<const HmacStates>(new HmacStates(std::move(hashes)));
}

Digest HmacStates::compute(std::initializer_list<std::string_view> pieces) const {
  const auto inner = digest_of(hashes_->inner, pieces);
  return digest_of(hashes_->outer, {as_text(inner)});
}

#endif

HmacStates::HmacStates(std::unique_ptr<Hashes> hashes) : hashes_(std::move(hashes)) {}
HmacStates::~HmacStates() = default;

}}}  // namespace obol::v0::sealing
