// Why a stored session is not accepted.
#pragma once

#include <string_view>

namespace obol::inline v0 {

/// Why a stored session was not accepted.
enum class VerificationFailure {
  malformed,      ///< Not a sealed session, or cut short.
  unknown_key,    ///< Sealed with a key that is not in the keyring (any more).
  bad_signature,  ///< Changed, or moved here from another user, type, id, version or prefix.
  not_encrypted,  ///< Genuine, but only signed, where Encryption::require is set.
  newer_format,   ///< Genuine, but written by a newer Obol; the call fails with `protocol`.
};

/// As the enumerator is called: "malformed", "unknown_key", ….
constexpr std::string_view to_string(VerificationFailure failure) noexcept {
  switch (failure) {
    case VerificationFailure::malformed:
      return "malformed";
    case VerificationFailure::unknown_key:
      return "unknown_key";
    case VerificationFailure::bad_signature:
      return "bad_signature";
    case VerificationFailure::not_encrypted:
      return "not_encrypted";
    case VerificationFailure::newer_format:
      break;
  }
  return "newer_format";
}

}  // namespace obol::inline v0
