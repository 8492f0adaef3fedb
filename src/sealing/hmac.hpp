// HMAC-SHA-256 with one key, used many times: contexts are kept and used again.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "sealing/context_slots.hpp"

struct evp_mac_ctx_st;

namespace obol::inline v0::sealing {

using Digest = std::array<unsigned char, 32>;

inline std::string_view as_text(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

/// Compares in a time that depends on the lengths only.
bool equal_constant_time(std::string_view left, std::string_view right);

/// Overwrites bytes that held a secret.
void cleanse(void* bytes, std::size_t size);

void free_mac_context(evp_mac_ctx_st* context);

/// How a kept context is made ready for the next message.
enum class ContextReuse {
  reinitialise,  ///< EVP_MAC_init without a key: a quarter of the cost of anything else.
  duplicate,     ///< A copy of an untouched context for each message, for OpenSSL 3.0.0 to 3.0.2.
};

/// A code over the pieces, one after the other; nothing where it cannot be made.
using ComputeCode = std::function<std::optional<Digest>(std::initializer_list<std::string_view> pieces)>;

/// True where `compute`, under the key "Jefe", gives the code of RFC 4231's case 2 several times in a row.
bool gives_known_answers(const ComputeCode& compute);

/// The cheapest way that `is_right` confirms; nothing where it confirms none.
std::optional<ContextReuse> choose_reuse(const std::function<bool(ContextReuse)>& is_right);

/// Thread-safe, and usable in a forked child: takes no locks.
class HmacKey {
 public:
  /// Null where OpenSSL refuses, or fails the known answers of RFC 4231 in every way of using it.
  static std::unique_ptr<const HmacKey> load(std::string_view key);

  /// The same with a fixed way; for tests of the ways.
  static std::unique_ptr<const HmacKey> load(std::string_view key, ContextReuse reuse);

  HmacKey(const HmacKey&) = delete;
  HmacKey& operator=(const HmacKey&) = delete;

  /// The code over the pieces, one after the other. Nothing only where OpenSSL has no memory.
  std::optional<Digest> compute(std::initializer_list<std::string_view> pieces) const;

 private:
  using Contexts = ContextSlots<evp_mac_ctx_st, free_mac_context>;

  HmacKey(Contexts::Owned untouched, ContextReuse reuse) : untouched_(std::move(untouched)), reuse_(reuse) {}
  Contexts::Owned take() const;

  const Contexts::Owned untouched_;
  const ContextReuse reuse_;
  mutable Contexts kept_;
};

}  // namespace obol::inline v0::sealing
