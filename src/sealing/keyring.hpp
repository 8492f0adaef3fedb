// What a keyring holds: keys loaded for use, found by their id.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "obol/keyring.hpp"
#include "sealing/aes_gcm.hpp"
#include "sealing/hmac.hpp"

namespace obol { inline namespace v0 { namespace sealing {

struct LoadedKey {
  std::string id;
  std::string fingerprint;  ///< Of the key alone: equal only for the same key bytes, and not secret.
  std::unique_ptr<const HmacKey> hmac;
  std::unique_ptr<const AesGcmKey> aes;  ///< Derived from the same bytes.
};

struct KeyringKeys {
  std::vector<std::shared_ptr<const LoadedKey>> all;  ///< The current one first.

  const LoadedKey& current() const { return *all.front(); }

  /// Null where no key has that id.
  const LoadedKey* find(std::string_view id) const;

  /// `invalid_argument` if a key of `other` has the id of one of these and is a different key: what is signed with the
  /// one could not be verified with the other.
  Result<void> check_ids_against(const KeyringKeys& other) const;
};

}}}  // namespace obol::v0::sealing
