// Why a stored session failed verification.
#pragma once

#include <string_view>

namespace obol { inline namespace v0 {

/// Why a stored session failed verification.
enum class VerificationFailure {
  malformed,      ///< Not a sealed session, or truncated.
  unknown_key,    ///< Sealed with a key that is not, or no longer, in the keyring.
  bad_signature,  ///< Changed, or moved here from another user, type, id, version or prefix.
  not_encrypted,  ///< Authentic, but only signed although Encryption::require is set.
  newer_format,   ///< Authentic, but written by a newer Obol; the call fails with `protocol`.
};

/// Returns the name of the enumerator: "malformed", "unknown_key", ….
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

}}  // namespace obol::v0
