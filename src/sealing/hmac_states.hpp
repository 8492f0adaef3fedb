// HMAC-SHA-256 whose key is hashed once: what OpenSSL 3.0's HMAC copies, allocates and locks for each code falls away.
#pragma once

#include <initializer_list>
#include <memory>
#include <string_view>

#include "sealing/digest.hpp"

namespace obol { inline namespace v0 { namespace sealing {

/// Thread-safe, and usable in a forked child: never written to.
/// Source: RFC 2104, section 4
class HmacStates {
 public:
  /// Null where OpenSSL's own SHA-256 must not be used past its providers: another one than the default provider, such
  /// as a FIPS module, serves SHA-256, or the deprecated functions that this takes were left out of it.
  static std::unique_ptr<const HmacStates> make(std::string_view key);

  ~HmacStates();
  HmacStates(const HmacStates&) = delete;
  HmacStates& operator=(const HmacStates&) = delete;

  Digest compute(std::initializer_list<std::string_view> pieces) const;

 private:
  struct Hashes;

  explicit HmacStates(std::unique_ptr<Hashes> hashes);

  std::unique_ptr<Hashes> hashes_;
};

}}}  // namespace obol::v0::sealing
