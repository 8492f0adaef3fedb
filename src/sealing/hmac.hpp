// HMAC-SHA-256 with one key, used many times.
#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "sealing/context_slots.hpp"
#include "sealing/digest.hpp"
#include "sealing/hmac_states.hpp"

struct evp_mac_ctx_st;

namespace obol { inline namespace v0 { namespace sealing {

/// Compares in a time that depends on the lengths only.
bool equal_constant_time(std::string_view left, std::string_view right);

/// Overwrites bytes that held a secret.
void cleanse(void* bytes, std::size_t size);

void free_mac_context(evp_mac_ctx_st* context);

/// How a code is made for the next message.
enum class HmacWay {
  states,        ///< HmacStates: two thirds of the cost of the next one, with two threads.
  reinitialise,  ///< A kept context and EVP_MAC_init without a key: a quarter of the cost of anything else.
  duplicate,     ///< A copy of an untouched context for each message, for OpenSSL 3.0.0 to 3.0.2.
};

/// A code over the pieces, one after the other; nothing where it cannot be made.
using ComputeCode = std::function<std::optional<Digest>(std::initializer_list<std::string_view> pieces)>;

/// True where `compute`, under the key "Jefe", gives the code of RFC 4231's case 2 several times in a row.
bool gives_known_answers(const ComputeCode& compute);

/// The cheapest way that `is_right` confirms; nothing where it confirms none.
std::optional<HmacWay> choose_way(const std::function<bool(HmacWay)>& is_right);

/// Thread-safe, and usable in a forked child: takes no locks.
class HmacKey {
 public:
  /// Null where OpenSSL refuses, or fails the known answers of RFC 4231 in every way of using it.
  static std::unique_ptr<const HmacKey> load(std::string_view key);

  /// The same in a fixed way, null where that cannot be had; for tests of the ways.
  static std::unique_ptr<const HmacKey> load(std::string_view key, HmacWay way);

  HmacKey(const HmacKey&) = delete;
  HmacKey& operator=(const HmacKey&) = delete;

  /// The code over the pieces, one after the other. Nothing only where OpenSSL has no memory.
  std::optional<Digest> compute(std::initializer_list<std::string_view> pieces) const;

 private:
  using Contexts = ContextSlots<evp_mac_ctx_st, free_mac_context>;

  explicit HmacKey(std::unique_ptr<const HmacStates> states) : way_(HmacWay::states), states_(std::move(states)) {}
  HmacKey(Contexts::Owned untouched, HmacWay way) : way_(way), untouched_(std::move(untouched)) {}
  Contexts::Owned take() const;

  const HmacWay way_;
  const std::unique_ptr<const HmacStates> states_;
  const Contexts::Owned untouched_;
  mutable Contexts kept_;
};

}}}  // namespace obol::v0::sealing
