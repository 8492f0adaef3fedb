// Checks a new keyring against the one in use.
#include "sealing/replaceable_keyring.hpp"

#include "sealing/keyring.hpp"
#include "values/refusal.hpp"

namespace obol { inline namespace v0 { namespace sealing {

// The old keyring is destroyed after the lock is let go.
Result<void> ReplaceableKeyring::replace(Keyring keyring) {
  if (keyring.empty()) return refuse("the new keyring is empty; the old one stays in use");
  const std::scoped_lock lock(mutex_);
  if (auto valid = keyring_.keys()->check_ids_against(*keyring.keys()); !valid) return valid;
  std::swap(keyring_, keyring);
  return {};
}

}}}  // namespace obol::v0::sealing
