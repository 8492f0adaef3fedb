// A keyring that can be replaced while threads use it.
#pragma once

#include <mutex>
#include <utility>

#include "base/fork_registration.hpp"
#include "obol/error.hpp"
#include "obol/keyring.hpp"

namespace obol { inline namespace v0 { namespace sealing {

/// Thread-safe.
class ReplaceableKeyring {
 public:
  explicit ReplaceableKeyring(Keyring keyring) : keyring_(std::move(keyring)) {}

  /// The keyring in use. A copy, so that a call that has begun finishes with it.
  Keyring get() const {
    const std::scoped_lock lock(mutex_);
    return keyring_;
  }

  /// `invalid_argument`, and the old one stays in use, if the new one is empty or has a different key under an id of
  /// the old one.
  Result<void> replace(Keyring keyring);

 private:
  mutable std::mutex mutex_;
  Keyring keyring_;
  ForkRegistration fork_registration_{mutex_};
};

}}}  // namespace obol::v0::sealing
